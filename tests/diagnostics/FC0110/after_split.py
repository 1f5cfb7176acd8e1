from metaflow import FlowSpec, step


class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.x = 1
        self.next(self.end)

    @step
    def right(self):
        self.x = 2
        self.next(self.end)

    @step
    def end(self, inputs):
#                 ^^^^^^ FC0110 the extra argument makes it a join
        print(inputs)


if __name__ == "__main__":
    BranchFlow()
