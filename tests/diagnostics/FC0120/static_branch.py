from metaflow import FlowSpec, step


class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.left, self.join)
#                            ^^^^^^^^^ FC0120 there is no step to run in this branch

    @step
    def left(self):
        self.x = 1
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
