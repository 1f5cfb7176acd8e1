from metaflow import FlowSpec, parallel, step


class SweepFlow(FlowSpec):
    @step
    def start(self):
        self.rates = [0.1, 0.2]
        self.next(self.fit, foreach="rates")

    @step
    def fit(self):
        self.next(self.train, num_parallel=2)
#                             ^^^^^^^^^^^^^^ FC0127 its tasks run at the same time

    @step
    def train(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.every)

    @step
    def every(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SweepFlow()
