from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.kind = "a"
        self.next(self.left, self.right, condition="kind")
#                 ^^^^^^^^^ FC0008 a switch takes one dictionary of steps and nothing else

    @step
    def left(self):
        self.next(self.end)

    @step
    def right(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
