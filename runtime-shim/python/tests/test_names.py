"""The names of `metaflow`: ours alone, or in front of the real package."""

import importlib.util
import os
import tempfile
import unittest

from driver import Driver, Warm
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
        self.assertIn("flowc has no `plugins.cards`", task.finish["exception"]["line"])

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

    def package(self, text):
        """A folder for the path, with a package `team` outside of the flow's folder."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.mkdir(os.path.join(folder.name, "team"))
        with open(os.path.join(folder.name, "team", "__init__.py"), "w") as out:
            out.write(text)
        return folder.name

    def everywhere(self, before, package, then=""):
        """Runs a flow whose base is in a package, in a fresh and in a warm interpreter."""
        path = self.package(package + "\n\nclass Base(FlowSpec):\n    kind = 'base'\n")
        driver = Driver(FLOW_ON_BASE % (before, then))
        self.addCleanup(driver.close)
        environment = {"PYTHONPATH": path}
        warm = Warm(environment=environment)
        self.addCleanup(warm.close)
        failed = warm.preload(["team", "team:Base"], driver.file)["failed"]
        for task in (
            driver.run("start", next=["end"], environment=environment),
            warm.run(driver, "start", next=["end"]),
        ):
            self.assertTrue(task.finish["ok"], task.stderr)
            self.assertEqual(task["seen"], ("base", "17", "start"))
            self.assertEqual(task["same"], [True] * len(task["same"]))
        return failed

    def test_a_base_in_a_package_is_of_the_one_class(self):
        for package in (
            "from metaflow import FlowSpec, current",
            "import metaflow\nFlowSpec, current = metaflow.FlowSpec, metaflow.current",
            "from metaflow.flowspec import FlowSpec\nfrom metaflow.metaflow_current import current",
            "from metaflow.decorators import step\nfrom metaflow.parameters import Parameter\n"
            "from metaflow import *",
        ):
            for before in ("", "import metaflow\n", "from metaflow.flowspec import FlowSpec\n"):
                with self.subTest(package=package, before=before):
                    self.assertEqual(self.everywhere(before, package), {})

    @unittest.skipUnless(HAS_METAFLOW, "metaflow is not installed")
    def test_the_real_package_holds_ours_wherever_it_is_loaded(self):
        real = "from metaflow import S3, Flow"
        own = "from metaflow import FlowSpec, current"
        same = """
import metaflow.plugins.datatools.s3.s3 as s3, metaflow.client.core as core
import metaflow.flowspec, metaflow.decorators, metaflow.parameters
from metaflow.plugins.timeout_decorator import TimeoutException
import sys
SAME += [
    s3.FlowSpec is FlowSpec, core.current is current, metaflow.flowspec.FlowSpec is FlowSpec,
    metaflow.decorators.step is step, metaflow.parameters.Parameter is Parameter,
    TimeoutException is __import__("flowc.exceptions").exceptions.TimeoutException,
    metaflow.client.core is sys.modules["metaflow.client.core"] is metaflow.client.core,
    metaflow.Flow is core.Flow,
]
"""
        for package, before in (
            (real + "\n" + own, ""),
            ("from metaflow.flowspec import FlowSpec\nfrom metaflow import current, S3", real),
            ("from metaflow.decorators import StepDecorator\n" + own, ""),
        ):
            with self.subTest(package=package, before=before):
                self.assertEqual(self.everywhere(before + "\n", package, same), {})

    @unittest.skipUnless(HAS_METAFLOW, "metaflow is not installed")
    def test_a_real_package_that_came_first_is_taken_over(self):
        path = self.package("from metaflow import FlowSpec, current, S3\n")
        with open(os.path.join(path, "sitecustomize.py"), "w") as out:
            out.write("import team, metaflow.plugins.datatools.s3.s3\n")
        task = self.start(
            """
            import metaflow.plugins.datatools.s3.s3 as s3, metaflow.exception, team
            self.same = [
                team.FlowSpec is FlowSpec, team.current is current, s3.FlowSpec is FlowSpec,
                metaflow.exception.MetaflowException is s3.MetaflowException,
                team.current.step_name == "start",
            ]
            """,
            environment={"PYTHONPATH": path},
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task["same"], [True] * 5)

    def test_the_front_looks_like_a_package(self):
        task = self.start(
            """
            import importlib, importlib.util, sys, metaflow
            self.found = importlib.util.find_spec("metaflow") is not None
            del sys.modules["metaflow"]
            import metaflow as again
            self.same = again is metaflow and again.FlowSpec is FlowSpec
            self.version = getattr(metaflow, "__version__", None)
            """
        )
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertTrue(task["found"] and task["same"])
        self.assertEqual(task["version"] is not None, HAS_METAFLOW)


FLOW_ON_BASE = """%s
from team import Base
import team
from metaflow import FlowSpec, Parameter, current, step
SAME = [issubclass(Base, FlowSpec), team.FlowSpec is FlowSpec, team.current is current]
%s

class F(Base):
    @step
    def start(self):
        self.seen = (self.kind, team.current.run_id, current.step_name)
        self.same = SAME
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    F()
"""


if __name__ == "__main__":
    unittest.main()
