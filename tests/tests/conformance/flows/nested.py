from metaflow import FlowSpec, step


class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.outer = [1, 2]
        self.next(self.middle, foreach="outer")

    @step
    def middle(self):
        self.inner = [1, 2]
        self.next(self.work, foreach="inner")

    @step
    def work(self):
        self.next(self.near)

    @step
    def near(self, inputs):
        self.next(self.far)

    @step
    def far(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NestedFlow()
