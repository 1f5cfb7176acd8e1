from metaflow import FlowSpec, step


class ForeachFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.train, foreach="shards")

    @step
    def train(self):
        self.score = self.input * 2
        self.next(self.end)

    @step
    def end(self, inputs):
#                 ^^^^^^ FC0110 the extra argument makes it a join
        print(max(one.score for one in inputs))


if __name__ == "__main__":
    ForeachFlow()
