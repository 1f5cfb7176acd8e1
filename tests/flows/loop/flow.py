"""A step that chooses itself until it is done, retried in one iteration."""

from metaflow import FlowSpec, current, retry, step


class LoopFlow(FlowSpec):
    @step
    def start(self):
        self.value = 100.0
        self.seen = []
        self.next(self.improve)

    @retry(times=1, minutes_between_retries=0)
    @step
    def improve(self):
        if len(self.seen) == 1 and current.retry_count == 0:
            raise ValueError("the first attempt of the second iteration")
        self.value = (self.value + 2 / self.value) / 2
        self.seen = self.seen + [round(self.value, 6)]
        self.state = "done" if abs(self.value**2 - 2) < 1e-3 else "more"
        self.next({"more": self.improve, "done": self.report}, condition="state")

    @step
    def report(self):
        self.rounds = len(self.seen)
        self.next(self.end)

    @step
    def end(self):
        print(self.rounds, self.value)

if __name__ == "__main__":
    LoopFlow()
