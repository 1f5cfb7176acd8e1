from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.work)

    def work(self):
#       ^^^^ FC0021 it ends in `self.next`
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
