from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.kind = "a"
        self.next({"a": self.left, self.kind: self.right}, condition="kind")
#                                  ^^^^^^^^^ FC0008 no string, number or configuration value

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
