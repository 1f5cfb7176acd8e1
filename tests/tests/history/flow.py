import sys

from metaflow import FlowSpec, Parameter, current, retry, step


class HistoryFlow(FlowSpec):
    """Two foreaches within each other, a failure that a retry mends, and output on both streams."""

    width = Parameter("width", default=2, help="Elements of each foreach.")

    @step
    def start(self):
        self.letters = "abcdef"[: self.width]
        print("start of", self.width)
        self.next(self.outer, foreach="letters")

    @step
    def outer(self):
        self.numbers = list(range(self.width))
        self.next(self.inner, foreach="numbers")

    @retry(times=1, minutes_between_retries=0)
    @step
    def inner(self):
        print("trying", self.input)
        if self.input == 1 and current.retry_count == 0:
            print("no luck with", self.input, file=sys.stderr)
            raise ValueError("not at once")
        self.square = self.input**2
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.squares = [task.square for task in inputs]
        self.next(self.merge)

    @step
    def merge(self, inputs):
        self.all = [task.squares for task in inputs]
        self.next(self.fork)

    @step
    def fork(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = "left"
        self.next(self.close)

    @step
    def right(self):
        self.side = "right"
        self.next(self.close)

    @step
    def close(self, inputs):
        self.sides = [task.side for task in inputs]
        self.all = inputs.left.all
        self.next(self.end)

    @step
    def end(self):
        print("ends with", self.sides, self.all)


if __name__ == "__main__":
    HistoryFlow()
