from metaflow import FlowSpec, step


class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.left)

    @step
    def left(self):
        self.x = 1
        self.next(self.join)

    @step
    def right(self):
#       ^^^^^ FC0115 no transition leads here
        self.x = 2
        self.next(self.join)

    @step
    def join(self):
        self.total = self.x
        self.next(self.end)

    @step
    def end(self):
        print(self.total)


if __name__ == "__main__":
    BranchFlow()
