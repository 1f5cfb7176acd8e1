from metaflow import FlowSpec, retry, step, timeout


class SwitchesFlow(FlowSpec):
    """Switches in each other, around and inside foreaches and branches, and loops."""

    @step
    def start(self):
        self.size = "large"
        self.next({"large": self.many, "small": self.few, "none": self.report}, condition="size")

    @step
    def few(self):
        self.next(self.report)

    @step
    def many(self):
        self.items = [1, 2]
        self.next(self.item, foreach="items")

    @step
    def item(self):
        self.kind = "plain"
        self.next(
            {"plain": self.plain, "also": self.plain, "fancy": self.fancy, "odd": self.done},
            condition="kind",
        )

    @step
    def plain(self):
        self.next(self.done)

    @step
    def fancy(self):
        self.parts = [1, 2]
        self.next(self.part, foreach="parts")

    @step
    def part(self):
        self.next(self.parts_join)

    @step
    def parts_join(self, inputs):
        self.more = "again"
        self.next(self.polish)

    @timeout(minutes=1)
    @retry(times=1)
    @step
    def polish(self):
        self.more = "no"
        self.next({"again": self.polish, "no": self.done}, condition="more")

    @step
    def done(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.both)

    @step
    def both(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.side = 1
        self.next({1: self.near, 2: self.far}, condition="side")

    @step
    def near(self):
        self.next(self.meet)

    @step
    def far(self):
        self.next(self.meet)

    @step
    def right(self):
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.next(self.report)

    @step
    def report(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SwitchesFlow()
