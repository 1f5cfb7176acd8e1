"""Switches by text, number and truth; arms of unequal length, an arm that is the merge itself, a switch in an arm."""

from metaflow import FlowSpec, step


class SwitchFlow(FlowSpec):
    @step
    def start(self):
        self.trail = ["start"]
        self.size = "big"
        self.next(
            {"big": self.cut, "small": self.weigh, "none": self.end}, condition="size"
        )

    @step
    def cut(self):
        self.trail = self.trail + ["cut"]
        self.pieces = 2
        self.next({1: self.weigh, 2: self.stack, 2.5: self.stack}, condition="pieces")

    @step
    def stack(self):
        self.trail = self.trail + ["stack"]
        self.next(self.tie)

    @step
    def tie(self):
        self.trail = self.trail + ["tie"]
        self.next(self.weigh)

    @step
    def weigh(self):
        self.trail = self.trail + ["weigh"]
        self.heavy = self.pieces > 1
        self.next({True: self.lift, False: self.end}, condition="heavy")

    @step
    def lift(self):
        self.trail = self.trail + ["lift"]
        self.next(self.end)

    @step
    def end(self):
        print(" ".join(self.trail))

if __name__ == "__main__":
    SwitchFlow()
