from metaflow import FlowSpec, step


class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.Left, self.RIGHT)

    @step
    def Left(self):
#       ^^^^ FC0104 only `a` to `z`, digits and underscores are allowed
        self.x = 1
        self.next(self.join)

    @step
    def RIGHT(self):
#       ^^^^^ FC0104 only `a` to `z`, digits and underscores are allowed
        self.x = 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.x for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.total)


if __name__ == "__main__":
    BranchFlow()
