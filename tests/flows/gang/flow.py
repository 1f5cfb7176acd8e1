"""Gangs: tasks that run at the same time and are retried together."""

import os
import shutil
import tempfile
import time

from metaflow import FlowSpec, current, parallel, retry, step


class GangFlow(FlowSpec):
    @step
    def start(self):
        self.nodes = 3
        self.next(self.meet, num_parallel=self.nodes)

    @retry(times=1, minutes_between_retries=0)
    @parallel
    @step
    def meet(self):
        """Each node waits for all the others, so that none could run after another."""
        here = current.parallel
        name = "gang-flow-%s-%d" % (current.run_id, current.retry_count)
        self.folder = os.path.join(tempfile.gettempdir(), name)
        os.makedirs(self.folder, exist_ok=True)
        open(os.path.join(self.folder, str(here.node_index)), "w").close()
        patience = time.monotonic() + 300
        while len(os.listdir(self.folder)) < here.num_nodes:
            if time.monotonic() > patience:
                raise RuntimeError("the other nodes did not come")
            time.sleep(0.01)
        if here.node_index == 1 and current.retry_count == 0:
            raise ValueError("one node fails, and all are tried again")
        del self.folder
        self.place = (here.main_ip, here.num_nodes, here.node_index)
        self.is_control = here.control_task_id == current.task_id
        self.said = (current.is_parallel, self.index, self.input, self.foreach_stack())
        self.attempt = current.retry_count
        self.environment = sorted(name for name in os.environ if name.startswith("MF_PARALLEL_"))
        self.next(self.gather)

    @step
    def gather(self, inputs):
        for attempt in range(2):
            folder = "gang-flow-%s-%d" % (current.run_id, attempt)
            shutil.rmtree(os.path.join(tempfile.gettempdir(), folder), ignore_errors=True)
        self.places = [node.place for node in inputs]
        self.controls = [node.is_control for node in inputs]
        self.attempts = [node.attempt for node in inputs]
        self.last = inputs.meet.place
        self.outside = tuple(current.parallel)
        self.merge_artifacts(inputs, include=["nodes"])
        self.next(self.divide)

    @step
    def divide(self):
        self.groups = ["a", "b"]
        self.next(self.pick, foreach="groups")

    @step
    def pick(self):
        self.group = self.input
        self.next(self.work, num_parallel=2)

    @parallel
    @step
    def work(self):
        self.word = "%s%d" % (self.group, current.parallel.node_index)
        self.next(self.both)

    @step
    def both(self, inputs):
        self.words = [node.word for node in inputs]
        self.next(self.all)

    @step
    def all(self, inputs):
        self.words = [word for group in inputs for word in group.words]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    GangFlow()
