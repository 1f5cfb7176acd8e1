from metaflow import FlowSpec, step


class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.left, self.right, self.middle)

    @step
    def left(self):
        self.x = 1
        self.next(self.join)

    @step
    def right(self):
        self.x = 2
        self.next(self.join)

    @step
    def middle(self):
        self.x = 3
        self.next(self.other)

    @step
    def other(self, inputs):
#       ^^^^^ FC0117 receives 1 of 3 branches
        self.next(self.end)

    @step
    def join(self, inputs):
        self.total = sum(one.x for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.total)


if __name__ == "__main__":
    BranchFlow()
