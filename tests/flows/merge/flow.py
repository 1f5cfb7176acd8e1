"""merge_artifacts with its conflicts, and inputs by name, index and iteration."""

from metaflow import FlowSpec, step
from metaflow.exception import UnhandledInMergeArtifactsException


class MergeFlow(FlowSpec):
    constant = 7

    @step
    def start(self):
        self.shared = [1, 2]
        self.changed = 0
        self.next(self.left, self.right)

    @step
    def left(self):
        self.only_left = "l"
        self.changed = 1
        self.next(self.join)

    @step
    def right(self):
        self.only_right = "r"
        self.changed = 2
        self.next(self.join)

    @step
    def join(self, inputs):
        try:
            self.merge_artifacts(inputs)
        except UnhandledInMergeArtifactsException as refused:
            self.conflicts = sorted(refused.artifact_names)
        self.by_name = (inputs.left.changed, inputs.right.changed)
        # Metaflow hands over the branches of a split in any order, flowc as written.
        self.all_steps = sorted(one._current_step for one in inputs)
        self.changed = inputs.left.changed + inputs.right.changed
        self.merge_artifacts(inputs, exclude=["only_right"])
        self.has_right = hasattr(self, "only_right")
        self.next(self.fan_out)

    @step
    def fan_out(self):
        self.next(self.work, foreach="shared")

    @step
    def work(self):
        self.number = self.input * self.constant
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.numbers = [one.number for one in inputs]
        self.by_index = (inputs[0].number, inputs[1].number)
        self.merge_artifacts(inputs, include=["shared", "by_name"])
        self.next(self.end)

    @step
    def end(self):
        print(self.conflicts if hasattr(self, "conflicts") else self.numbers)

if __name__ == "__main__":
    MergeFlow()
