import metaflow
from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.out = metaflow.parallel_map(len, ["a"])
#                           ^^^^^^^^^^^^ FC0019 not provided yet
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
