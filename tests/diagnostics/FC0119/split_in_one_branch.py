from metaflow import FlowSpec, step


class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.x = 1
        self.next(self.up, self.down)

    @step
    def up(self):
        self.next(self.join)

    @step
    def down(self):
        self.next(self.join)

    @step
    def right(self):
        self.x = 2
        self.next(self.join)

    @step
    def join(self, inputs):
#       ^^^^ FC0119 these branches do not belong together
        self.total = sum(one.x for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.total)


if __name__ == "__main__":
    BranchFlow()
