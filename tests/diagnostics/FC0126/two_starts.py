from metaflow import FlowSpec, step


class TwiceFlow(FlowSpec):
    @step(start=True)
    def load(self):
        self.next(self.end)

    @step(start=True)
#         ^^^^^^^^^^ FC0126 `fetch` as well
    def fetch(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TwiceFlow()
