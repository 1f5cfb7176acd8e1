from metaflow import FlowSpec, step


class ForeachFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.train, foreach="shards")

    @step
    def train(self):
        self.score = self.input * 2
        self.next(self.train)
#                 ^^^^^^^^^^ FC0114 a step cannot follow itself

    @step
    def pick(self, inputs):
        self.best = max(one.score for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.best)


if __name__ == "__main__":
    ForeachFlow()
