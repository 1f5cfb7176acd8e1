from metaflow import FlowSpec, catch, step


class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.prepare, self.audit)

    @catch(print_exception=False)
#    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0208 a failed split has no list to go on with
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
        self.next(self.merge)

    @step
    def merge(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NestedFlow()
