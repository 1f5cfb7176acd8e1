from metaflow import FlowSpec, step


class Flow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


FLOWS = {"flow": Flow}

if __name__ == "__main__":
    FLOWS["flow"]()
#   ^^^^^^^^^^^^^ FC0033 only Python knows what this is
