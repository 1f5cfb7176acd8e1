from metaflow import FlowSpec, pytorch_parallel, step


class TrainFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.train, num_parallel=2)

    @pytorch_parallel(master_port=12345)
#    ^^^^^^^^^^^^^^^^ FC0014 not supported yet
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
