import metaflow
from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @metaflow.rertry
#    ^^^^^^^^^^^^^^^ FC0013 unknown decorator
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
