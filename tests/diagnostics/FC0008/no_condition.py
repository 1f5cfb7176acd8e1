from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.kind = "a"
        self.next({"a": self.left, "b": self.right})
#                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0008 a dictionary of steps needs `condition="..."`

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
