from metaflow import FlowSpec, step


class TwiceFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step(start=True)
#         ^^^^^^^^^^ FC0126 marked as the start
    def load(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TwiceFlow()
