"""The other branch, in a folder without `__init__.py`."""

from metaflow import step

from ..common import Common


class Trained(Common):
    """Brings the steps of the foreach."""

    shape = "square"

    @step
    def train(self):
        self.trained = self.input * self.alpha
        self.next(self.join)

    @step
    def join(self, inputs):
        self.trained = sum(task.trained for task in inputs)
        self.merge_artifacts(inputs, include=["where"])
        self.next(self.end)
