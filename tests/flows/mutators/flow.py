"""What a static parser cannot see: configurations, mutators and step decorators of the user's own."""

import os

from helpers import Log, catching, skip, timing, words
from metaflow import (
    Config,
    FlowMutator,
    FlowSpec,
    Parameter,
    StepMutator,
    config_expr,
    environment,
    project,
    retry,
    step,
    timeout,
)


class AddEnvironment(FlowMutator):
    """Adds a parameter for each configuration, and an environment to each step."""

    def init(self, prefix):
        self.prefix = prefix

    def pre_mutate(self, mutable_flow):
        for name, value in mutable_flow.configs:
            mutable_flow.add_parameter(name + "_size", Parameter(name + "_size", default=len(value)))

    def mutate(self, mutable_flow):
        for name, one in mutable_flow.steps:
            one.add_decorator(environment, deco_kwargs={"vars": {"WHERE": self.prefix + name}})


class Twice(StepMutator):
    """Retries, takes the timeout away and logs."""

    def mutate(self, mutable_step):
        mutable_step.add_decorator("retry:times=2")
        mutable_step.remove_decorator("timeout")
        mutable_step.add_decorator(Log)


@AddEnvironment(prefix="x-")
@project(name=config_expr("config").project.name)
class MutatorsFlow(FlowSpec):
    config = Config(
        "config",
        default_value={"project": {"name": "demo"}, "retry": {"times": 1}, "items": [1, 2]},
    )
    lines = Config("lines", default_value="a=1 b=2", parser=words)
    alpha = Parameter("alpha", default=config.retry.times)
    N = 2

    @timing(label="hello")
    @retry(**config.retry)
    @step
    def start(self):
        self.where = os.environ["WHERE"]
        self.items = self.config["items"]
        self.kind = type(self.config).__name__
        self.kept = self.config
        self.value = self.config.retry.times
        self.next(self.work, foreach="items")

    @Twice
    @timeout(seconds=10)
    @step
    def work(self):
        self.x = self.input * self.lines.b.__len__()
        self.next(self.join)

    @skip
    @step
    def middle(self):
        self.never = True
        self.next(self.end)

    @catching
    @step
    def join(self, inputs):
        self.total = sum(task.x for task in inputs)
        if self.total:
            raise ValueError("swallowed")
        self.next(self.middle)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    MutatorsFlow()
