"""The names of `metaflow`: ours alone, or in front of the real package."""

import importlib.util
import unittest

from driver import Driver
from flows import one_step

HAS_METAFLOW = importlib.util.find_spec("metaflow") is not None


class Names(unittest.TestCase):
    def start(self, body, before="", environment=None, flags=()):
        driver = Driver(one_step(body, before))
        self.addCleanup(driver.close)
        self.driver = driver
        return driver.run("start", next=["end"], environment=environment, flags=flags)

    def test_ours_stand_alone(self):
        task = self.start(
            """
            import sys, flowc, metaflow, metaflow.exception
            from metaflow.exception import MetaflowException, MetaflowExceptionWrapper
            self.same = all(getattr(flowc, n) is getattr(metaflow, n) for n in flowc.__all__)
            self.real = [n for n in sys.modules if n.startswith("metaflow.plugins")]
            @retry(times=2)
            @catch(var="x")
            @step
            def f(self): pass
            @schedule(daily=True)
            @project(name="x")
            class C: pass
            self.kinds = (f.__name__, C.__name__)
            try:
                metaflow.__nothing__
            except AttributeError:
                self.dunder = True
            """
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertTrue(task["same"])
        self.assertEqual(task["real"], [])
        self.assertEqual(task["kinds"], ("f", "C"))

    def test_a_foreign_name_without_metaflow(self):
        # Without the site packages there is no Metaflow, whoever installed it.
        task = self.start("from metaflow import Flow", flags=["-S", "-E"])
        self.assertFalse(task.finish["ok"])
        self.assertIn(
            "flowc has no `Flow`, and the package `metaflow`, which may have it, is not installed for",
            task.finish["exception"]["line"],
        )
        self.assertTrue(task.finish["exception"]["line"].startswith("ImportError"))
        self.assertEqual(task.stderr.count("  File "), 1)
        task = self.start("import metaflow.plugins.cards", flags=["-S", "-E"])
        self.assertIn("flowc has no `plugins`", task.finish["exception"]["line"])

    def test_interpreters_that_user_code_starts_find_the_names(self):
        for flags in ([], ["-S", "-E"]):
            task = self.start(
                """
                import multiprocessing
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    self.squares = pool.map(square, [1, 2, 3])
                """,
                before="import flowc\ndef square(x):\n    return x * x\n",
                flags=flags,
            )
            self.assertTrue(task.finish["ok"], task.stderr)
            self.assertEqual(task["squares"], [1, 4, 9])

    @unittest.skipUnless(HAS_METAFLOW, "metaflow is not installed")
    def test_foreign_names_come_from_the_real_package(self):
        task = self.start(
            """
            import sys
            before = "metaflow.plugins" in sys.modules
            from metaflow import Flow, get_metadata, namespace
            from metaflow.exception import MetaflowNotFound
            import metaflow, metaflow.client.core
            import __main__
            namespace(None)
            try:
                Flow("NoSuchFlowAnywhere")
            except MetaflowNotFound as error:
                self.found = type(error).__name__
            self.order = (before, "metaflow.plugins" in sys.modules)
            self.ours = (metaflow.FlowSpec is FlowSpec, metaflow.current is current, metaflow.step is step)
            self.module = Flow.__module__
            self.name = metaflow.metaflow_current.current.run_id
            self.metadata = get_metadata()
            try:
                metaflow.no_such_name
            except AttributeError:
                self.absent = True
            """,
            environment={"METAFLOW_USER": "ann", "METAFLOW_DEFAULT_METADATA": "local"},
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task["found"], "MetaflowNotFound")
        self.assertEqual(task["order"], (False, True))
        self.assertEqual(task["ours"], (True, True, True))
        self.assertEqual(task["module"], "metaflow.client.core")
        self.assertEqual(task["name"], "17")
        self.assertTrue(task["metadata"].startswith("local@"))

    @unittest.skipUnless(HAS_METAFLOW, "metaflow is not installed")
    def test_stacks_and_exceptions_survive_the_real_package(self):
        task = self.start(
            """
            from metaflow import Flow
            self.stack = self._foreach_stack
            raise KeyError("k")
            """,
            before="from metaflow import Flow, S3\n",
        )
        self.assertFalse(task.finish["ok"])
        self.assertEqual(task.finish["exception"]["type"], "builtins.KeyError")
        import metaflow.exception  # noqa: F401

        self.assertEqual(task["_exception"].type, "builtins.KeyError")

    @unittest.skipUnless(HAS_METAFLOW, "metaflow is not installed")
    def test_a_wrapper_written_by_metaflow_is_read(self):
        import hashlib
        import pickle

        from metaflow.exception import MetaflowExceptionWrapper

        try:
            raise KeyError("k")
        except KeyError as error:
            data = pickle.dumps(MetaflowExceptionWrapper(error), 4)
        task = self.start("pass")
        key = hashlib.sha1(data).hexdigest()
        self.driver.blobs[key] = data
        task.objects["failed"] = {"key": key, "size": len(data), "type": "x", "encoding": "pickle-v4"}
        with open(self.driver.file) as file:
            source = file.read().rpartition("        pass")
        with open(self.driver.file, "w") as out:
            out.write(source[0] + "        self.read = (self.failed.type, str(self.failed))" + source[2])
        end = self.driver.run("end", [task], kind="end")
        self.assertTrue(end.finish["ok"], end.stderr)
        self.assertEqual(end["read"][0], "builtins.KeyError")
        self.assertIn("Traceback", end["read"][1])


if __name__ == "__main__":
    unittest.main()
