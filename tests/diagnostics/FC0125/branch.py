from metaflow import FlowSpec, step


class ReviewFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.review, self.audit)

    @step
    def review(self):
        self.verdict = "fine"
        self.next({"fine": self.both, "bad": self.mend}, condition="verdict")
#                          ^^^^^^^^^ FC0125 chosen only sometimes, while a join waits for all

    @step
    def mend(self):
        self.next(self.both)

    @step
    def audit(self):
        self.next(self.both)

    @step
    def both(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ReviewFlow()
