from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.work, foreach=[1, 2])
#                                    ^^^^^^ FC0006 not a literal string

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
