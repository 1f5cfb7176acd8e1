"""Failures of user code, and what is told of them."""

import os
import pickle
import subprocess
import sys
import time
import unittest

from driver import HARNESS, Driver
from flows import one_step

sys.path.insert(0, os.path.dirname(os.path.dirname(HARNESS)))

from flowc import artifacts  # noqa: E402


class Failures(unittest.TestCase):
    def start(self, body, before="", decorators="", **fields):
        driver = Driver(one_step(body, before, decorators=decorators))
        self.addCleanup(driver.close)
        self.driver = driver
        fields.setdefault("next", ["end"])
        return driver.run("start", **fields)

    def test_only_the_users_frames_are_shown(self):
        task = self.start(
            """
            self.kept = 1
            helper()
            """,
            before="def helper():\n    raise ValueError('no such\\nshard')\n",
        )
        self.assertFalse(task.finish["ok"])
        self.assertTrue(task.finish["retry"])
        self.assertEqual(task.code, 0)
        told = task.finish["exception"]
        self.assertEqual(told["type"], "builtins.ValueError")
        self.assertEqual(told["message"], "no such\nshard")
        self.assertEqual(told["line"], "ValueError: no such shard (flow.py:5 in start)")
        self.assertEqual(told["traceback"], task.stderr)
        self.assertEqual(task.stderr.count("  File "), 2)
        self.assertNotIn("flowc", task.stderr)
        self.assertEqual(task["kept"], 1)
        self.assertIs(task["_task_ok"], False)
        self.assertIs(task["_success"], False)

    def test_news_of_the_socket_in_quick_succession(self):
        """The kernel's signals can interrupt their own handler, of which user code must see nothing."""
        task = self.start(
            """
            import os, signal
            parent, children = os.getpid(), []
            for _ in range(2):
                children.append(os.fork())
                if not children[-1]:
                    for _ in range(100000):
                        os.kill(parent, signal.SIGIO)
                    os._exit(0)
            while children:
                ended, status = os.waitpid(-1, os.WNOHANG)
                if ended:
                    children.remove(ended)
                    self.status = status
            """
        )
        self.assertTrue(task.finish and task.finish["ok"], task.stderr)
        self.assertEqual(task["status"], 0)

    def test_chained_exceptions_are_shown_without_our_frames(self):
        task = self.start(
            """
            try:
                self.nothing
            except AttributeError as error:
                raise RuntimeError("outer") from error
            """
        )
        self.assertIn("has no attribute 'nothing'", task.stderr)
        self.assertIn("direct cause", task.stderr)
        self.assertNotIn("flowspec.py", task.stderr)

    def test_the_stored_exception_has_metaflows_form(self):
        task = self.start("raise KeyError('k')")
        data = task.blobs[task.objects["_exception"]["key"]]
        self.assertIn(b"metaflow.exception", data)
        self.assertIn(b"MetaflowExceptionWrapper", data)

        class Wrapper(Exception):
            def __init__(self, exc=None):
                pass

            def __setstate__(self, state):
                self.__dict__ = state

        class Finder(pickle.Unpickler):
            def find_class(self, module, name):
                assert (module, name) == ("metaflow.exception", "MetaflowExceptionWrapper")
                return Wrapper

        import io

        wrapper = Finder(io.BytesIO(data)).load()
        self.assertEqual(wrapper.exception, "'k'")
        self.assertEqual(wrapper.type, "builtins.KeyError")
        self.assertTrue(wrapper.stacktrace.startswith("Traceback"))

    def test_the_module_of_the_flow_fails(self):
        task = self.start("pass", before="import no_such_module_anywhere\n")
        self.assertFalse(task.finish["ok"])
        self.assertIn("no_such_module_anywhere", task.finish["exception"]["line"])
        self.assertIn("flow.py", task.stderr)
        self.assertIs(task["_task_ok"], False)
        self.assertEqual(task["name"], "F")

    def test_syntax_error(self):
        task = self.start("pass", before="def broken(:\n")
        self.assertFalse(task.finish["ok"])
        self.assertTrue(task.finish["exception"]["line"].startswith("SyntaxError"))
        self.assertNotIn("process.py", task.stderr)

    def test_exits_of_user_code_are_failures(self):
        task = self.start("import sys; sys.exit(0)")
        self.assertFalse(task.finish["ok"])
        self.assertTrue(task.finish["exception"]["line"].startswith("SystemExit: 0"))
        self.assertTrue(task.finish["retry"])
        task = self.start("import os; os._exit(3)")
        self.assertIsNone(task.finish)
        self.assertEqual(task.code, 3)

    def test_an_exit_that_forbids_another_attempt(self):
        for where in (
            {"body": "import sys; sys.exit(202)"},
            {"body": "pass", "before": "raise SystemExit(202)\n"},
        ):
            task = self.start(**where)
            self.assertFalse(task.finish["ok"])
            self.assertFalse(task.finish["retry"], where)

    def test_transitions(self):
        for body, expected in (
            ("self.next(self.end)", "Multiple self.next() calls"),
            ("self.next(3)", "is not a function"),
            ("self.next(self.end, foreach='nothing')", "does not exist"),
            ("self.n = 3\nself.next(self.end, foreach='n')", "is not iterable"),
            ("self.n = None\nself.next(self.end, foreach='n')", "is not iterable"),
            ("self.next(self.end, foreign='n')", "unknown keyword argument 'foreign'"),
            ("self.next(self.start)", "expected to transition to step(s) *end*"),
            ("return", "expected to transition to step(s) *end*"),
        ):
            task = self.start(body)
            self.assertFalse(task.finish["ok"], body)
            self.assertIn(expected, task.finish["exception"]["line"], body)

    def test_generators_are_no_artifacts_but_other_iterables_fan_out(self):
        task = self.start(
            "self.n = Lazy()\nself.next(self.end, foreach='n')",
            before="class Lazy:\n    def __iter__(self):\n        return iter('ab')\n",
            kind="foreach",
            variable="n",
        )
        # `self.next` after the split is the second call.
        self.assertIn("Multiple", task.finish["exception"]["line"])
        self.assertEqual(task["_foreach_values"], ["a", "b"])

    def test_an_artifact_that_does_not_pickle_is_named(self):
        task = self.start(
            """
            import threading
            self.fine = 1
            self.model = {"layers": [1, Holder(threading.Lock())]}
            """,
            before="class Holder:\n    def __init__(self, x):\n        self.lock = x\n",
        )
        self.assertFalse(task.finish["ok"])
        line = task.finish["exception"]["line"]
        self.assertIn("artifact `model` of type dict cannot be pickled", line)
        self.assertIn("it holds a _thread.lock at `model['layers'][1].lock`", line)
        self.assertIsNone(task.finish["exception"]["traceback"])
        self.assertEqual(len(task.stderr.splitlines()), 1)
        self.assertNotIn("Traceback", task.stderr)
        self.assertEqual(task["fine"], 1)
        self.assertNotIn("model", task.objects)
        self.assertIs(task["_task_ok"], False)
        self.assertIs(task["_success"], False)

    def test_artifacts_whose_names_cannot_be_kept(self):
        for name, why in [
            ("a/b", "it holds a slash"),
            ("../x", "it holds a slash"),
            ("a\0b", "it holds a NUL character"),
            ("a\udc80b", "it holds half of a surrogate pair"),
            ("", "it is empty"),
            ("n" * 240, "it has 240 bytes, more than 239"),
            ("\xfc" * 120, "it has 240 bytes, more than 239"),
            (7, "it is no text but of type int"),
        ]:
            with self.subTest(name):
                with self.assertRaises(artifacts.ArtifactNameException) as raised:
                    artifacts.check_name(name)
                self.assertIn(why, str(raised.exception))
                str(raised.exception).encode("ascii")
        for name in ["x", "a\nb", "..", " ", "a\\b", "n" * 239, "\xfc" * 119]:
            artifacts.check_name(name)
        task = self.start(
            """
            self.aa = 1
            setattr(self, "a/b", 7)
            self.__dict__["\\udc80"] = 8
            setattr(self, "..", 9)
            self.zz = 2
            """
        )
        self.assertFalse(task.finish["ok"])
        self.assertIn("artifact 'a/b' cannot be kept", task.finish["exception"]["line"])
        self.assertIsNone(task.finish["exception"]["traceback"])
        self.assertEqual((task["aa"], task["zz"], task[".."]), (1, 2, 9))
        self.assertNotIn("a/b", task.objects)
        odd = self.start("self.__dict__[7] = 1\nself.aa = 1")
        self.assertFalse(odd.finish["ok"])
        self.assertIs(odd["_task_ok"], False)

    def test_storing_self_is_explained(self):
        task = self.start("self.me = [self]")
        self.assertIn("a flow cannot be stored", task.finish["exception"]["line"])

    def test_catch(self):
        catch = {"variable": "failed", "print_exception": True}
        fine = self.start("self.x = 1", catch=catch)
        self.assertTrue(fine.finish["ok"], fine.stderr)
        self.assertIsNone(fine["failed"])
        self.assertNotIn("_catch_exception", fine.objects)
        early = self.start("1 / 0", catch=catch, last_attempt=False, retries=1)
        self.assertFalse(early.finish["ok"])
        self.assertNotIn("failed", early.objects)
        caught = self.start("self.x = 1\n1 / 0", catch=catch)
        self.assertTrue(caught.finish["ok"], caught.stderr)
        self.assertIsNone(caught.finish["exception"])
        self.assertEqual(caught["x"], 1)
        self.assertIs(caught["_task_ok"], True)
        self.assertIs(caught["_success"], False)
        self.assertIsNone(caught["_exception"])
        self.assertEqual(caught["_transition"], (["end"], None))
        self.assertEqual(caught.objects["failed"]["type"], "<class 'metaflow.exception.MetaflowExceptionWrapper'>")
        self.assertIn("@catch caught an exception from <flow F step start>", caught.stderr)
        self.assertIn(">  ZeroDivisionError: division by zero", caught.stderr)
        quiet = self.start("1 / 0", catch={"variable": None, "print_exception": False})
        self.assertTrue(quiet.finish["ok"])
        self.assertEqual(quiet.stderr, "")

    def test_catch_after_attempts_that_left_nothing(self):
        catch = {"variable": "failed", "print_exception": False}
        task = self.start("print('ran')", catch=catch, attempt=2, retries=1)
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task.stdout, "")
        self.assertIn("failed", task.objects)

    def test_timeout_is_raised_in_user_code(self):
        before = time.time()
        task = self.start(
            """
            import time
            self.x = 1
            time.sleep(20)
            """,
            timeout_s=1,
        )
        self.assertLess(time.time() - before, 10)
        self.assertFalse(task.finish["ok"])
        self.assertEqual(task.finish["exception"]["type"], "metaflow.plugins.timeout_decorator.TimeoutException")
        self.assertIn("Step start timed out after 0 hours, 0 minutes, 1 seconds", task.finish["exception"]["line"])
        self.assertIn("time.sleep(20)", task.stderr)
        self.assertNotIn("timeout.py", task.stderr)
        self.assertEqual(task["x"], 1)
        caught = self.start("import time; time.sleep(20)", timeout_s=1, catch={"variable": "e"})
        self.assertTrue(caught.finish["ok"])
        in_time = self.start("self.x = 1", timeout_s=1)
        self.assertTrue(in_time.finish["ok"])

    def test_no_such_flow_or_step(self):
        task = self.start("pass", flow="Other")
        self.assertFalse(task.finish["ok"])
        self.assertEqual(task.finish["fault"]["exit"], 20)
        self.assertIn("defines no flow `Other`", task.finish["fault"]["message"])
        task = self.driver.run("nowhere", start=True, parameters={})
        self.assertEqual(task.finish["fault"]["exit"], 20)
        self.assertIn("has no step `nowhere`", task.finish["fault"]["message"])

    def test_a_spool_that_cannot_be_written(self):
        task = self.start("self.big = b'x' * 1000000", spool_dir="/nonexistent/spool")
        self.assertFalse(task.finish["ok"])
        self.assertEqual(task.finish["fault"]["exit"], 71)
        self.assertIn("/nonexistent/spool", task.finish["fault"]["message"])

    def test_an_artifact_that_cannot_be_loaded_is_named(self):
        driver = Driver(
            """
            from metaflow import FlowSpec, step
            import os
            if "start" in os.environ:
                class Thing: pass
            class F(FlowSpec):
                @step
                def start(self):
                    self.thing = Thing()
                    self.next(self.end)
                @step
                def end(self):
                    self.thing
            F()
            """
        )
        self.addCleanup(driver.close)
        start = driver.run("start", next=["end"], environment={"start": "1"})
        end = driver.run("end", [start], kind="end")
        self.assertFalse(end.finish["ok"])
        self.assertIn("artifact `thing` of 17/start/t cannot be loaded", end.finish["exception"]["line"])

    def test_it_ends_with_the_shim(self):
        import os
        import socket

        from driver import receive, send

        driver = Driver(one_step("import time\nprint('up')\ntime.sleep(60)"))
        self.addCleanup(driver.close)
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [sys.executable, HARNESS, "task"], stdin=theirs, stdout=subprocess.PIPE, cwd=driver.folder
        )
        theirs.close()
        receive(ours)
        send(ours, driver.frame("start", next=["end"], parameters={}))
        while receive(ours)["op"] == "artifact":
            pass
        send(ours, {"op": "ok", "objects": {}})
        self.assertEqual(process.stdout.readline(), b"up\n")
        ours.close()
        self.assertEqual(process.wait(10), 70)
        process.stdout.close()
        del os


if __name__ == "__main__":
    unittest.main()
