from metaflow import FlowSpec, step


class ForeachFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.train, foreach="shards")

    @step
    def train(self):
        self.score = self.input * 2
        self.next(self.pick)

    @step
    def pick(self, inputs):
        self.best = max(one.score for one in inputs)
        self.parts = [1, 2]
        self.next(self.again, foreach="parts")
#       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0107 splits here

    @step
    def again(self):
        self.next(self.last)

    @step
    def last(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ForeachFlow()
