from metaflow import FlowSpec, step


class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.prepare, self.audit)

    @step
    def prepare(self):
        self.groups = ["a", "b"]
        self.next(self.gather, foreach="groups")
#                 ^^^^^^^^^^^ FC0120 there is no step to run in this branch

    @step
    def gather(self, inputs):
        self.next(self.merge)

    @step
    def audit(self):
        self.next(self.merge)

    @step
    def merge(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NestedFlow()
