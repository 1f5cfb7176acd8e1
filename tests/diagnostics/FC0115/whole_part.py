from metaflow import FlowSpec, step


class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.audit)

    @step
    def prepare(self):
#       ^^^^^^^ FC0115 no transition leads here
        self.groups = ["a", "b"]
        self.next(self.fit, foreach="groups")

    @step
    def fit(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.tidy)

    @step
    def audit(self):
        self.next(self.end)

    @step
    def tidy(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NestedFlow()
