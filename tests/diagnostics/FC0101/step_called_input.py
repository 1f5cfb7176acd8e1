from metaflow import FlowSpec, step


class ForeachFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.input, foreach="shards")

    @step
    def input(self):
#       ^^^^^ FC0101 cannot be the name of a step
        self.score = len(self.shards) * 2
        self.next(self.pick)

    @step
    def pick(self, inputs):
        self.best = max(one.score for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.best)


if __name__ == "__main__":
    ForeachFlow()
