import functools

from metaflow import FlowSpec, retry, step

once = functools.partial(retry, times=1)


class Demo(FlowSpec):
    @once()
#    ^^^^ FC0012 known only when Python runs
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
