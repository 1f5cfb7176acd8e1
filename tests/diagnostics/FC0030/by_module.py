import metaflow as mf
from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @mf.card
#    ^^^^^^^ FC0030 no card is drawn
    @mf.pypi(packages={})
#    ^^^^^^^ FC0030 no packages are installed
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
