import os

from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter("alpha", default=os.getpid())
#                                      ^^^^^^^^^^^ FC0011 only Python could evaluate this

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
