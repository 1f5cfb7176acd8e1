from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.items = [1]
        self.next(self.work, self.work2, foreach="items")
#       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0006 a foreach leads to one step

    @step
    def work(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def work2(self):
        self.next(self.gather)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
