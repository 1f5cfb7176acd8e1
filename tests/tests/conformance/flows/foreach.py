from metaflow import FlowSpec, Parameter, exit_hook, resources, retry, step, timeout


@exit_hook(on_success=["told"], on_error=["os.getpid"])
class ForeachFlow(FlowSpec):
    """A foreach of one step, one of several in a branch, and one after the other."""

    needed = Parameter("needed", required=True, type=int, help="There is no default.")

    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @retry(times=2)
    @timeout(minutes=3)
    @resources(cpu=2, memory=8192)
    @step
    def work(self):
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.next(self.fork)

    @step
    def fork(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.items = "ab"
        self.next(self.first, foreach="items")

    @step
    def first(self):
        self.next(self.second, self.third)

    @step
    def second(self):
        self.next(self.merge)

    @step
    def third(self):
        self.next(self.merge)

    @step
    def merge(self, inputs):
        self.next(self.last)

    @step
    def last(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.both)

    @step
    def right(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ForeachFlow()
