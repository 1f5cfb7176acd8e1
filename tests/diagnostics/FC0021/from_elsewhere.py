from metaflow import FlowSpec
from workflow import step


class Demo(FlowSpec):
    @step
#    ^^^^ FC0021 not the `step` of `metaflow`
    def start(self):
        self.next(self.end)

    @step
#    ^^^^ FC0021 not the `step` of `metaflow`
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
