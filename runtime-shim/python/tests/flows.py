"""Flow files that the tests share, and shorthands for their tasks."""

import textwrap

FANOUT = """
from metaflow import FlowSpec, step, Parameter, current

class F(FlowSpec):
    alpha = Parameter("alpha", default=0.5)
    constant = [1, 2]

    @step
    def start(self):
        self.xs = ["a", "b", "c"]
        self.kept = {"k": 1}
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        self.y = self.input * 2
        self.where = (self.index, self.input, self.foreach_stack())
        self.next(self.join)

    @step
    def join(self, inputs):
        self.ys = [i.y for i in inputs]
        self.count = len(inputs)
        self.second = inputs[1].where
        self.merge_artifacts(inputs, exclude=["y", "where"])
        self.next(self.end)

    @step
    def end(self):
        self.result = (self.kept, self.alpha, self.constant)

if __name__ == "__main__":
    F()
    raise AssertionError("code after the flow ran")
"""


def frames(count, index, step="work", variable="xs"):
    return [{"step": step, "variable": variable, "count": count, "index": index}]


def fan_out(driver, **fields):
    """Runs start, its three children and the join of `FANOUT`."""
    start = driver.run("start", kind="foreach", next=["work"], variable="xs", **fields)
    children = [
        driver.run(
            "work",
            [start],
            next=["join"],
            index=[index],
            foreach=frames(3, index),
            task_id="t-%d" % index,
        )
        for index in range(3)
    ]
    join = driver.run("join", children, kind="join", next=["end"])
    return start, children, join


def one_step(body, before="", after_class="", decorators=""):
    """A flow whose start step is the given body."""
    lines = "\n".join("        " + line for line in textwrap.dedent(body).strip("\n").splitlines())
    return """
from flowc import *
from metaflow import current, FlowSpec, step, Parameter, JSONType
%s
class F(FlowSpec):
%s
    @step
    def start(self):
%s
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    F()
%s
""" % (before, decorators, lines, after_class)
