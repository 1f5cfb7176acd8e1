"""Decorators of the user's own, mutators, configurations and included files, in a task."""

import importlib.util
import os
import pickle
import unittest

from driver import Driver

HAS_METAFLOW = importlib.util.find_spec("metaflow") is not None

HEAD = """
from metaflow import (Config, FlowMutator, FlowSpec, IncludeFile, Parameter, StepMutator,
    UserStepDecorator, config_expr, environment, retry, step, user_step_decorator)
"""

FLOW = """
%s
%s
class F(FlowSpec):
    %s
    %s
    @step
    def start(self):
        self.body = True
        %s
        self.next(self.end)
    @step
    def end(self): pass
F()
"""


class UserDecorators(unittest.TestCase):
    def start(self, head="", around="", inside="", on="", body="pass", flags=(), **fields):
        driver = Driver(FLOW % (HEAD + head, around, inside, on, body))
        self.addCleanup(driver.close)
        self.driver = driver
        return driver.run("start", next=["end"], flags=flags, **fields)

    def good(self, *arguments, **fields):
        task = self.start(*arguments, **fields)
        self.assertTrue(task.finish["ok"], task.stderr)
        return task

    def test_wrappers_nest_as_they_are_written(self):
        head = """
class Say(UserStepDecorator):
    def init(self, name):
        self.name = name
    def pre_step(self, step_name, flow, inputs=None):
        flow.said = getattr(flow, "said", []) + ["pre " + self.name]
    def post_step(self, step_name, flow, exception=None):
        flow.said.append("post " + self.name)
        return exception
"""
        task = self.good(head, on='@Say(name="outer")\n    @Say(name="inner")')
        self.assertEqual(task["said"], ["pre outer", "pre inner", "post inner", "post outer"])

    def test_a_generator_skips_replaces_and_catches(self):
        skips = "\n@user_step_decorator\ndef d(step_name, flow, inputs):\n    yield {}\n"
        task = self.good(skips, on="@d")
        self.assertNotIn("body", task.objects)
        self.assertEqual(task["_transition"], (["end"], None))
        replaces = (
            "\ndef other(flow):\n    flow.other = True\n    return True\n"
            "@user_step_decorator\ndef d(step_name, flow, inputs):\n    yield other\n"
        )
        task = self.good(replaces, on="@d")
        self.assertTrue(task["other"])
        self.assertNotIn("body", task.objects)
        catches = (
            "\n@user_step_decorator\ndef d(step_name, flow, inputs):\n    try:\n        yield\n"
            "    except ZeroDivisionError:\n        flow.caught = step_name\n"
        )
        task = self.good(catches, on="@d", body="1 / 0")
        self.assertEqual(task["caught"], "start")
        self.assertEqual(task["_transition"], (["end"], None))

    def test_mistakes_of_a_decorator_fail_the_task(self):
        twice = "\n@user_step_decorator\ndef d(step_name, flow, inputs):\n    yield\n    yield\n"
        task = self.start(twice, on="@d")
        self.assertFalse(task.finish["ok"])
        self.assertIn("should only yield once", task.finish["exception"]["line"])
        late = (
            "\n@user_step_decorator\ndef d(step_name, flow, inputs):\n    yield\n    raise KeyError('x')\n"
        )
        task = self.start(late, on="@d")
        self.assertIn("KeyError", task.finish["exception"]["line"])

    def test_mutators_run_in_each_task(self):
        head = """
class Add(FlowMutator):
    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("added", Parameter("added", default=7))
        mutable_flow.remove_parameter("gone")
class Wrap(StepMutator):
    def mutate(self, mutable_step):
        mutable_step.add_decorator(mark)
        mutable_step.add_decorator("retry:times=1")
        self_specs = [spec[0] for spec in mutable_step.decorator_specs]
        assert self_specs == ["retry", "mark", "Wrap"], self_specs
@user_step_decorator
def mark(step_name, flow, inputs):
    yield
    flow.marked = flow.added
"""
        task = self.good(head, "@Add", 'gone = Parameter("gone", default=1)', "@Wrap")
        self.assertEqual(task["marked"], 7)
        self.assertEqual(task["added"], 7)
        self.assertNotIn("gone", task.objects)
        decorators = task["_graph_info"]["decorators"]
        self.assertEqual([entry["name"] for entry in decorators], ["Add"])

    def test_late_changes_are_refused(self):
        head = """
class Late(FlowMutator):
    def mutate(self, mutable_flow):
        mutable_flow.add_parameter("late", Parameter("late", default=1))
"""
        task = self.start(head, "@Late")
        self.assertIn("only allowed in the `pre_mutate`", task.finish["exception"]["line"])

    def test_configurations_come_with_the_task(self):
        inside = 'c = Config("c", default="nowhere.json"); p = Parameter("p", default=c.deep.n)'
        body = "self.kept = self.c; self.n = self.c.deep.n; self.items = list(self.c)"
        for flags in ((), ("-S", "-E")):
            task = self.good(
                inside=inside, body=body, flags=flags, configs={"c": {"z": 1, "deep": {"n": 3}}}
            )
            self.assertEqual(task["n"], 3)
            self.assertEqual(task["p"], 3)
            self.assertEqual(task["items"], ["z", "deep"])
            self.assertEqual(task["c"], {"z": 1, "deep": {"n": 3}})
            key = task.objects["kept"]["key"]
            self.assertIn(b"metaflow.user_configs.config_parameters", task.blobs[key])
        if HAS_METAFLOW:
            found = pickle.loads(task.blobs[key])
            self.assertEqual(type(found).__module__, "metaflow.user_configs.config_parameters")

    def test_a_configuration_does_not_change(self):
        body = "\n        ".join(
            "try:\n            %s\n        except TypeError as e: self.said%d = str(e)" % (line, at)
            for at, line in enumerate(
                ("self.c['n'] = 1", "self.c.n = 1", "self.c.update(n=1)", "del self.c['n']")
            )
        )
        task = self.good(inside='c = Config("c")', body=body, configs={"c": {"n": 0}})
        for at in range(4):
            self.assertEqual(task["said%d" % at], "ConfigValue is immutable")

    @unittest.skipUnless(HAS_METAFLOW, "Metaflow is not installed")
    def test_the_real_package_beside_ours(self):
        for names in ("Flow, Config", "Config, Flow"):
            task = self.good(
                "\nfrom metaflow import %s\n" % names,
                inside='c = Config("c")',
                body="self.kept = self.c",
                configs={"c": {"n": 0}},
            )
            self.assertEqual(dict(task["c"]), {"n": 0})

    def test_files_are_included(self):
        driver = Driver(
            FLOW
            % (
                HEAD,
                "",
                'd = IncludeFile("d", default="d.txt", parser=str.split); n = IncludeFile("n"); '
                'w = IncludeFile("w", default="w.txt", encoding="utf-16"); '
                'b = IncludeFile("b", default="w.txt", is_text=False)',
                "",
                "self.words = self.d; self.nothing = self.n; self.lines = self.w",
            )
        )
        self.addCleanup(driver.close)
        with open(os.path.join(driver.folder, "d.txt"), "w") as file:
            file.write("a b")
        raw = "a\r\nb\rc\n\r\r\n\u2028".encode("utf-16")
        with open(os.path.join(driver.folder, "w.txt"), "wb") as file:
            file.write(raw)
        task = driver.run("start", next=["end"])
        self.assertTrue(task.finish["ok"], task.stderr)
        self.assertEqual(task["d"], "a b")
        self.assertEqual(task["words"], ["a", "b"])
        self.assertIsNone(task["nothing"])
        # Line ends are those of a text file, and the bytes of any other stay.
        self.assertEqual(task["lines"], "a\nb\nc\n\n\n\u2028")
        self.assertEqual(task["b"], raw)
        task = driver.run("start", next=["end"], parameters={"d": "missing.txt"})
        self.assertIn("could not open file 'missing.txt'", task.finish["exception"]["line"])


if __name__ == "__main__":
    unittest.main()
