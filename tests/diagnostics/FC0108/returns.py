from metaflow import FlowSpec, step


class ForeachFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.train, foreach="shards")

    @step
    def train(self):
        self.score = self.input * 2
        return self.score
#       ^^^^^^^^^^^^^^^^^ FC0108 the last statement is not `self.next(...)`

    @step
    def pick(self, inputs):
        self.best = max(one.score for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.best)


if __name__ == "__main__":
    ForeachFlow()
