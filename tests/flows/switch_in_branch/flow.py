"""A switch in a branch of a split, and a foreach in the other."""

from metaflow import FlowSpec, step


class SwitchInBranchFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = [3, 4]
        self.next(self.choose, self.square_all)

    @step
    def choose(self):
        self.way = "left"
        self.next({"left": self.left, "right": self.right}, condition="way")

    @step
    def left(self):
        self.found = "left"
        self.next(self.both)

    @step
    def right(self):
        self.found = "right"
        self.next(self.both)

    @step
    def square_all(self):
        self.next(self.square, foreach="numbers")

    @step
    def square(self):
        self.result = self.input**2
        self.next(self.add)

    @step
    def add(self, inputs):
        self.found = sum(one.result for one in inputs)
        self.next(self.both)

    @step
    def both(self, inputs):
        # Metaflow hands over inputs in any order where arms lead to a join, flowc as written.
        self.found = sorted(str(one.found) for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.found)

if __name__ == "__main__":
    SwitchInBranchFlow()
