from metaflow import FlowSpec, step


class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.name, self.index)

    @step
    def name(self):
#       ^^^^ FC0101 cannot be the name of a step
        self.x = 1
        self.next(self.join)

    @step
    def index(self):
#       ^^^^^ FC0101 cannot be the name of a step
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
