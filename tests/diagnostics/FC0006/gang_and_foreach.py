from metaflow import FlowSpec, parallel, step


class TrainFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.train, foreach="parts", num_parallel=2)
#                                              ^^^^^^^^^^^^^^ FC0006 a gang of tasks

    @parallel
    @step
    def train(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TrainFlow()
