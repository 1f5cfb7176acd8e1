"""Exit hooks: what they are called with, and in which order, is a matter of tests of their own."""

from metaflow import FlowSpec, exit_hook, step


def tell(run):
    print("told of", run)


def fails():
    raise ValueError("no such channel")


def never():
    raise AssertionError("the run has not failed")


@exit_hook(on_success=["tell", "fails"])
@exit_hook(on_success=["tell"], on_error=["never"])
class ExitHookFlow(FlowSpec):
    @step
    def start(self):
        self.note = "as without hooks"
        self.next(self.end)

    @step
    def end(self):
        self.length = len(self.note)


if __name__ == "__main__":
    ExitHookFlow()
