from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.items = {"a": [1]}
        self.next(self.work, foreach="items['a']")
#                                    ^^^^^^^^^^^^ FC0006 not the name of an attribute

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
