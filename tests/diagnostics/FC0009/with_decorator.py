from metaflow import FlowSpec, parallel, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.work, num_parallel=2)
#                            ^^^^^^^^^^^^^^ FC0009 a gang of tasks

    @parallel
#    ^^^^^^^^ FC0014 not supported yet
    @step
    def work(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
