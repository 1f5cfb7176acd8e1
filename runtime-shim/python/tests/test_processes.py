"""Processes that user code forks, descriptors that it closes, and debuggers that it calls."""

import os
import unittest

from driver import Driver, Warm
from flows import one_step

LEAVING = {
    "return": ("return", 0),
    "the end": ("pass", 0),
    "an exception": ("raise KeyError('copy')", 1),
    "an interrupt": ("raise KeyboardInterrupt", 130),
    "sys.exit": ("sys.exit(3)", 3),
    "sys.exit without": ("sys.exit()", 0),
    "sys.exit with words": ("sys.exit('words')", 1),
    "os._exit": ("os._exit(4)", 4),
    "self.next": ("self.next(self.end); return", 0),
    "calling the flow": ("F()", 0),
}

FORKING = """
import os, sys, atexit
pid = os.fork()
if pid == 0:
    atexit.register(lambda: print('copy ends'))
    %s
else:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if sys.version_info >= (3, 9) else \
os.waitpid(pid, 0)[1] >> 8
    self.code = code
"""


class Processes(unittest.TestCase):
    def flow(self, source):
        driver = Driver(source)
        self.addCleanup(driver.close)
        return driver

    def everywhere(self, source, **fields):
        """Runs the first step in a fresh and in a warm interpreter."""
        driver, warm = self.flow(source), Warm()
        self.addCleanup(warm.close)
        warm.preload([], driver.file)
        fields.setdefault("next", ["end"])
        for run in (driver.run, lambda *arguments, **options: warm.run(driver, *arguments, **options)):
            task = run("start", **fields)
            task.file = driver.file
            self.assertEqual(task.code, 0, task.stderr)
            yield task

    def test_a_copy_that_leaves_the_step_ends_alone(self):
        for name, (statement, code) in LEAVING.items():
            with self.subTest(name):
                driver = self.flow(one_step(FORKING % statement))
                task = driver.run("start", next=["end"], catch={"variable": "caught", "print_exception": True})
                self.assertTrue(task.finish["ok"], task.stderr)
                self.assertEqual((task["code"], task["caught"], task.code), (code, None, 0), task.stderr)
                self.assertEqual(task.stdout, "" if name == "os._exit" else "copy ends\n")
                self.assertEqual("copy" in task.stderr, name == "an exception")
                self.assertEqual("words" in task.stderr, name == "sys.exit with words")
                self.assertNotIn("@catch", task.stderr)

    def test_a_copy_in_a_warm_child_and_with_a_timeout_ends_alone(self):
        for task in self.everywhere(one_step(FORKING % "raise SystemExit(5)"), timeout_s=60):
            self.assertTrue(task.finish["ok"], task.stderr)
            self.assertEqual((task["code"], task.stderr), (5, ""))

    def test_a_copy_made_before_the_flow_is_called_ends_alone(self):
        before = "import os\nPID = os.fork()\n"
        for then in ("", "if not PID:\n    raise ValueError('copy')\n", "if not PID:\n    raise SystemExit(0)\n"):
            body = "import os\nself.status = os.waitpid(PID, 0)[1]"
            for task in self.everywhere(one_step(body, before + then)):
                self.assertTrue(task.finish["ok"], task.stderr)
                self.assertEqual(task["status"] >> 8, int("ValueError" in then))

    def test_a_copy_that_lives_on_does_not_speak_for_the_task(self):
        body = """
        import os, time
        if os.fork() == 0:
            time.sleep(0.5)
            self.who = "copy"
            self.next(self.end)
            return
        self.who = "task"
        """
        for task in self.everywhere(one_step(body)):
            self.assertTrue(task.finish["ok"], task.stderr)
            self.assertEqual(task["who"], "task")

    def test_copies_read_artifacts_over_connections_of_their_own(self):
        driver = self.flow(
            one_step(
                """
                import multiprocessing, os, signal
                self.big = list(range(20000))
                """,
                after_class="",
            ).replace(
                "    def end(self):\n        pass",
                "    def end(self):\n"
                "        import multiprocessing, os, signal\n"
                "        def read(queue):\n"
                "            queue.put(len(self.big))\n"
                "        context = multiprocessing.get_context('fork')\n"
                "        queue = context.Queue()\n"
                "        workers = [context.Process(target=read, args=(queue,)) for _ in range(3)]\n"
                "        [each.start() for each in workers]\n"
                "        self.seen = [queue.get(timeout=60) for _ in workers]\n"
                "        [each.join() for each in workers]\n"
                "        self.own = len(self.big)\n",
            )
        )
        start = driver.run("start", next=["end"])
        end = driver.run("end", [start], kind="end")
        self.assertTrue(end.finish["ok"], end.stderr)
        self.assertEqual((end["seen"], end["own"], end.links), ([20000] * 3, 20000, 3))

    def test_descriptors_that_user_code_closes_are_made_again(self):
        ways = {
            "a range": "os.closerange(3, 400)",
            "each of ours": "[os.close(fd) for fd in sockets]",
            "each that is open": "[os.close(int(fd)) for fd in os.listdir('/proc/self/fd') if int(fd) > 2 and mode(int(fd))]",
            "for files": "os.closerange(3, 400); files = [open(name, 'w+') for _ in range(150)]",
            "to others": "[os.dup2(1, fd) for fd in sockets]",
        }
        before = """
import os, stat
name = os.path.join(os.path.dirname(__file__), 'written')
def mode(fd):
    try:
        return os.fstat(fd).st_mode
    except OSError:
        return 0
"""
        for name, way in ways.items():
            with self.subTest(name):
                body = "sockets = [fd for fd in range(3, 300) if stat.S_ISSOCK(mode(fd))]\n" + way + "\nself.x = 1"
                for task in self.everywhere(one_step(body, before)):
                    self.assertTrue(task.finish["ok"], task.stderr)
                    self.assertEqual((task["x"], task.links, task.stdout), (1, 1, ""))
                    written = os.path.join(os.path.dirname(task.file), "written")
                    self.assertEqual(os.path.getsize(written) if name == "for files" else 0, 0)

    def test_without_a_door_it_is_said_what_is_closed(self):
        driver = self.flow(one_step("import os\nos.closerange(3, 400)"))
        task = driver.run("start", next=["end"], door=None)
        self.assertEqual((task.finish, task.code), (None, 70))
        self.assertIn("was closed by the step", task.stderr)

    def test_a_warm_child_has_a_resource_tracker_of_its_own(self):
        # A tracker of the warm interpreter would keep the memory until the run is over.
        body = """
        from multiprocessing import resource_tracker, shared_memory
        self.before = resource_tracker._resource_tracker._fd
        memory = shared_memory.SharedMemory(create=True, size=10)
        self.name = memory._name
        memory.close()
        """
        driver, warm = self.flow(one_step(body)), Warm(environment={"PYTHONPATH": "."})
        self.addCleanup(warm.close)
        folder = driver.folder
        with open(os.path.join(folder, "tracked.py"), "w") as out:
            out.write("from multiprocessing import resource_tracker\nresource_tracker.ensure_running()\n")
        warm.close()
        warm = Warm(environment={"PYTHONPATH": folder})
        self.addCleanup(warm.close)
        self.assertEqual(warm.preload(["tracked"])["failed"], {})
        task = warm.run(driver, "start", next=["end"])
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertIsNone(task["before"])
        path = os.path.join("/dev/shm", task["name"].strip("/"))
        for _ in range(200):
            if not os.path.exists(path):
                break
            import time

            time.sleep(0.05)
        self.assertFalse(os.path.exists(path))

    def test_a_debugger_without_a_terminal_is_an_error_that_names_the_way(self):
        for call in ("breakpoint()", "import pdb; pdb.set_trace()", "import bdb; raise bdb.BdbQuit"):
            for before, body in (("", call), (call + "\n", "pass")):
                for task in self.everywhere(one_step(body, before)):
                    line = task.finish["exception"]["line"]
                    self.assertIn("`flowc run FLOW --pdb`", line)
                    self.assertIn("flow.py:", line)
        driver = self.flow(one_step("breakpoint()\nself.x = 1", "import team\n"))
        with open(os.path.join(driver.folder, "team.py"), "w") as out:
            out.write("def reached():\n    print('reached')\n")
        for chosen, said in (("0", ""), ("team.reached", "reached\n")):
            task = driver.run("start", next=["end"], environment={"PYTHONBREAKPOINT": chosen})
            self.assertTrue(task.finish["ok"], task.stderr)
            self.assertEqual(task.stdout, said)


if __name__ == "__main__":
    unittest.main()
