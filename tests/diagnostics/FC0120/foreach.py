from metaflow import FlowSpec, step


class ForeachFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.pick, foreach="shards")
#                 ^^^^^^^^^ FC0120 there is no step to run in this branch

    @step
    def pick(self, inputs):
        self.best = max(one.score for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.best)


if __name__ == "__main__":
    ForeachFlow()
