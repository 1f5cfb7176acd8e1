"""The warm interpreter: each child is what a fresh interpreter would be."""

import array
import json
import os
import socket
import unittest

from driver import Driver, Task, Warm, receive, send
from flows import FANOUT, frames, one_step

try:
    import numpy
except ImportError:
    numpy = None

try:
    import sklearn
except ImportError:
    sklearn = None


class WarmTests(unittest.TestCase):
    def flow(self, source):
        driver = Driver(source)
        self.addCleanup(driver.close)
        return driver

    def warm(self, **options):
        warm = Warm(**options)
        self.addCleanup(warm.close)
        return warm

    def test_a_run(self):
        driver, warm = self.flow(FANOUT), self.warm()
        loaded = warm.preload(["json", "no_such_module"], driver.file)
        self.assertEqual(loaded["threads"], [])
        self.assertEqual(list(loaded["failed"]), ["no_such_module"])
        start = warm.run(driver, "start", kind="foreach", next=["work"], variable="xs")
        self.assertTrue(start.finish["ok"], start.stderr)
        children = [
            warm.run(driver, "work", [start], next=["join"], index=[i], foreach=frames(3, i), task_id="t-%d" % i)
            for i in range(3)
        ]
        join = warm.run(driver, "join", children, kind="join", next=["end"])
        self.assertTrue(join.finish["ok"], join.stderr)
        self.assertEqual(join["ys"], ["aa", "bb", "cc"])
        self.assertEqual(join.code, 0)

    def test_a_child_is_fresh(self):
        driver = self.flow(
            one_step(
                """
                import atexit, json, os, sys, time, random
                COUNTS.append(1)
                json.marked = getattr(json, "marked", 0) + 1
                self.seen = (len(COUNTS), json.marked, os.getcwd(), os.environ.get("MY_VALUE"))
                self.zone = time.tzname[0]
                self.random = random.random()
                self.main = (sys.argv, sys.path[0], __file__)
                self.group = os.getpgrp() == os.getpid()
                self.open = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
                print("out")
                print("err", file=sys.stderr)
                atexit.register(print, "bye")
                """,
                before="COUNTS = []\n",
            )
        )
        warm = self.warm()
        warm.preload(["json", "random"], driver.file)
        tasks = [
            warm.run(driver, "start", next=["end"], environment={"MY_VALUE": "v", "TZ": "XYZ3"})
            for _ in range(2)
        ]
        for task in tasks:
            self.assertTrue(task.finish["ok"], task.stderr)
            self.assertEqual(task["seen"], (1, 1, os.path.realpath(driver.folder), "v"))
            self.assertEqual(task["zone"], "XYZ")
            self.assertEqual(task["main"], ([driver.file], driver.folder, driver.file))
            self.assertTrue(task["group"])
            self.assertEqual((task.stdout, task.stderr), ("out\nbye\n", "err\n"))
            # Standard streams, the socket, the token's pipe, and the listing itself.
            self.assertLessEqual(len(task["open"]), 7, task["open"])
        self.assertNotEqual(tasks[0]["random"], tasks[1]["random"])

    def test_a_changed_file_is_read_again(self):
        driver, warm = self.flow(one_step("self.x = 1")), self.warm()
        warm.preload([], driver.file)
        self.assertEqual(warm.run(driver, "start", next=["end"])["x"], 1)
        with open(driver.file, "w") as out:
            out.write(one_step("self.x = 1000"))
        self.assertEqual(warm.run(driver, "start", next=["end"])["x"], 1000)

    def test_failures_show_the_users_frames(self):
        driver, warm = self.flow(one_step("1 / 0")), self.warm()
        warm.preload([], driver.file)
        task = warm.run(driver, "start", next=["end"])
        self.assertFalse(task.finish["ok"])
        self.assertEqual(task.stderr.count("  File "), 1)

    def test_exits_and_signals_are_told(self):
        driver, warm = self.flow(one_step("import os; os._exit(5)")), self.warm()
        self.assertEqual(warm.run(driver, "start", next=["end"]).code, 5)
        driver = self.flow(one_step("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
        self.assertEqual(warm.run(driver, "start", next=["end"]).code, -9)

    def test_threads_that_would_be_lost_are_named(self):
        driver, warm = self.flow(one_step("pass")), self.warm(environment={"PYTHONPATH": ""})
        with open(os.path.join(driver.folder, "threaded.py"), "w") as out:
            out.write(
                "import threading, time\n"
                "threading.Thread(target=time.sleep, args=(60,), name='poller', daemon=True).start()\n"
            )
        warm.close()
        warm = self.warm(environment={"PYTHONPATH": driver.folder})
        self.assertEqual(warm.preload(["threaded"])["threads"], ["poller"])

    @unittest.skipIf(numpy is None, "numpy is not installed")
    def test_numpy_forks_and_is_seeded_anew(self):
        modules = ["numpy"] + (["sklearn.linear_model"] if sklearn else [])
        source = one_step(
            """
            import numpy as np
            self.drawn = np.random.rand()
            self.product = float((np.ones((300, 300)) @ np.ones((300, 300)))[0, 0])
            np.random.seed(5)
            self.seeded = np.random.rand()
            """
        )
        driver, warm = self.flow(source), self.warm()
        loaded = warm.preload(modules, driver.file)
        self.assertEqual((loaded["threads"], loaded["failed"]), ([], {}))
        tasks = [warm.run(driver, "start", next=["end"]) for _ in range(2)]
        for task in tasks:
            self.assertTrue(task.finish["ok"], task.stderr)
            self.assertEqual(task["product"], 300.0)
        self.assertNotEqual(tasks[0]["drawn"], tasks[1]["drawn"])
        self.assertEqual(tasks[0]["seeded"], tasks[1]["seeded"])

    def test_the_end_of_its_socket_ends_it_and_its_children(self):
        driver = self.flow(one_step("import time\nprint('up')\ntime.sleep(60)"))
        warm = Warm()
        warm.preload([], driver.file)
        ours, theirs = socket.socketpair()
        out, out_in = os.pipe()
        descriptors = array.array("i", [theirs.fileno(), out_in, 2])
        body = json.dumps({"op": "fork", "id": 1, "cwd": driver.folder}).encode()
        warm.control.sendmsg(
            [len(body).to_bytes(4, "big") + body],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
        )
        theirs.close()
        os.close(out_in)
        self.assertEqual(receive(warm.control)["op"], "forked")
        send(ours, driver.frame("start", [Task("_parameters", "t")], next=["end"], parameters=None))
        lines = os.fdopen(out, "rb")
        self.assertEqual(lines.readline(), b"up\n")
        warm.close()
        self.assertEqual(warm.process.returncode, 0)
        self.assertEqual(lines.readline(), b"", "the child lives on")
        ours.close()
        lines.close()


if __name__ == "__main__":
    unittest.main()
