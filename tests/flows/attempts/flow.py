"""Retries, a failure that is caught, a timeout that is kept; variables of the environment, secrets."""

import os

from metaflow import FlowSpec, catch, current, environment, retry, secrets, step, timeout


class AttemptsFlow(FlowSpec):
    @environment(vars={"COLOUR": "blue $(id) {{x}}"})
    @secrets(sources=[{"type": "inline", "id": "word", "options": {"env_vars": {"WORD": "{{y}} $(id)"}}}])
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count < 2:
            raise ValueError("attempt %d" % current.retry_count)
        self.tries = current.retry_count
        self.colour = os.environ["COLOUR"]
        self.word = os.environ["WORD"]
        self.next(self.caught)

    @catch(var="problem", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def caught(self):
        raise KeyError("never")
        self.next(self.slow)

    @catch(var="late", print_exception=False)
    @timeout(minutes=2)
    @step
    def slow(self):
        self.next(self.end)

    @step
    def end(self):
        self.kinds = [self.problem.type.rsplit(".")[-1], type(self.late).__name__]
        print(self.tries, self.kinds)

if __name__ == "__main__":
    AttemptsFlow()
