"""A loop inside a foreach: as many iterations as the element says."""

from metaflow import FlowSpec, step


class LoopInForeachFlow(FlowSpec):
    @step
    def start(self):
        self.rounds = [1, 3]
        self.next(self.prepare, foreach="rounds")

    @step
    def prepare(self):
        self.wanted = self.input
        self.done = 0
        self.next(self.work)

    @step
    def work(self):
        self.done = self.done + 1
        self.state = "again" if self.done < self.wanted else "enough"
        self.next({"again": self.work, "enough": self.gather_up}, condition="state")

    @step
    def gather_up(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.counts = [one.done for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        print(self.counts)

if __name__ == "__main__":
    LoopInForeachFlow()
