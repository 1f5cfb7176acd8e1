from metaflow import FlowSpec, parallel, step


class TrainFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.train, num_parallel=0)
#                                          ^ FC0006 no number of tasks

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
