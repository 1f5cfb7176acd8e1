import metaflow as mf
from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @mf.card
#    ^^^^^^^ FC0014 not supported yet
    @mf.pypi(packages={})
#    ^^^^^^^ FC0014 not supported yet
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
