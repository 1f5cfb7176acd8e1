import os

from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.work)

    if os.name == "posix":

        @step
        def work(self):
#           ^^^^ FC0023 only Python knows whether it exists
            self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
