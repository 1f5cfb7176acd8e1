from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.kind = "a"
        self.next({"a": self.left}, condition="kind")
#                 ^^^^^^^^^^^^^^^^ FC0008 a switch needs at least two cases

    @step
    def left(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
