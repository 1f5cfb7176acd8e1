import os

from metaflow import FlowSpec, environment, step


class Demo(FlowSpec):
    @environment(vars={"HOME": os.environ["HOME"]})
#                              ^^^^^^^^^^^^^^^^^^ FC0012 only Python could evaluate this
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
