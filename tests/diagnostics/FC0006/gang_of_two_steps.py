from metaflow import FlowSpec, parallel, step


class TrainFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.train, self.test, num_parallel=2)
#       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0006 a gang runs one step

    @parallel
    @step
    def train(self):
        self.next(self.gather)

    @parallel
    @step
    def test(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TrainFlow()
