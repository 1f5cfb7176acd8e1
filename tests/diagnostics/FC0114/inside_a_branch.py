from metaflow import FlowSpec, step


class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.prepare, self.audit)

    @step
    def prepare(self):
        self.groups = ["a", "b"]
        self.next(self.fit, foreach="groups")

    @step
    def fit(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.merge)

    @step
    def audit(self):
        self.next(self.check)

    @step
    def check(self):
        self.next(self.audit)
#                 ^^^^^^^^^^ FC0114 leads back to `audit`

    @step
    def merge(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NestedFlow()
