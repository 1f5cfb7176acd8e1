from metaflow import FlowSpec, step


class TwiceFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.report)

    @step(end=True)
#         ^^^^^^^^ FC0126 marked as the end
    def report(self):
        pass

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TwiceFlow()
