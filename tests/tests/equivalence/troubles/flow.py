import time

from metaflow import FlowSpec, catch, current, retry, step, timeout


class TroublesFlow(FlowSpec):
    """Recovers, is too late, is caught, and fails in the end: the same way everywhere."""

    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        """Succeeds at its last attempt."""
        if current.retry_count < 2:
            raise ValueError("attempt %d" % current.retry_count)
        self.tries = current.retry_count
        self.shards = ["good", "bad", "slow"]
        self.next(self.work, foreach="shards")

    @catch(var="why")
    @retry(times=1, minutes_between_retries=0)
    @timeout(seconds=2)
    @step
    def work(self):
        """One succeeds, one fails twice, one is too late twice."""
        self.shard = self.input
        if self.shard == "bad":
            raise KeyError(self.shard)
        if self.shard == "slow":
            time.sleep(600)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.caught = [bool(task.why) for task in inputs]
        assert self.caught == [False, True, True], self.caught
        self.next(self.end)

    @retry(times=1, minutes_between_retries=0)
    @step
    def end(self):
        raise RuntimeError("attempt %d of the end" % current.retry_count)


if __name__ == "__main__":
    TroublesFlow()
