from metaflow import FlowSpec, parallel, step


class TrainFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.train, num_parallel=2)

    @parallel
    @step
    def train(self):
        self.next(self.end)
#       ^^^^^^^^^^^^^^^^^^^ FC0112 the gang still open

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TrainFlow()
