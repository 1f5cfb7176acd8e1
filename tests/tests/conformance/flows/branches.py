from metaflow import FlowSpec, catch, environment, exit_hook, retry, step, timeout


@exit_hook(on_error=["os.getpid"])
class BranchesFlow(FlowSpec):
    """Branches in branches, and what can be asked of a step."""

    @step
    def start(self):
        self.next(self.a, self.b)

    @retry(times=4, minutes_between_retries=1)
    @catch(var="problem")
    @step
    def a(self):
        self.next(self.c, self.d)

    @timeout(seconds=90)
    @environment(vars={"A": "$(HOME) {{x}}", "B": "no"})
    @step
    def b(self):
        self.next(self.outer)

    @step
    def c(self):
        self.next(self.inner)

    @step
    def d(self):
        self.next(self.inner)

    @step
    def inner(self, inputs):
        self.next(self.outer)

    @step
    def outer(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    BranchesFlow()
