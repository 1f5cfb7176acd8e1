import metaflow.plugins.datatools as datatools
#      ^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0019 not provided yet
from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
