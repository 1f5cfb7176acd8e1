from metaflow import FlowSpec, step


def make():
    class Flow(FlowSpec):
        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass

    return Flow


if __name__ == "__main__":
    make()()
#   ^^^^^^ FC0033 only Python knows what this is
