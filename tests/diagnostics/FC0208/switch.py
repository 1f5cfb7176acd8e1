from metaflow import FlowSpec, catch, step


class CaughtFlow(FlowSpec):
    @catch(var="failure")
#    ^^^^^^^^^^^^^^^^^^^^ FC0208 a failed switch has not chosen how to go on
    @step
    def start(self):
        self.kind = "a"
        self.next({"a": self.left, "b": self.right}, condition="kind")

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
    CaughtFlow()
