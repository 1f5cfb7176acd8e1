from metaflow import FlowSpec, Parameter, step


class LinearFlow(FlowSpec):
    limit = Parameter("limit", default=10)

    @step
    def start(self):
        self.rows = list(range(self.limit))
        self.next(self.cleanRows)

    @step
    def cleanRows(self):
#       ^^^^^^^^^ FC0104 only `a` to `z`, digits and underscores are allowed
        self.rows = [row for row in self.rows if row]
        self.next(self.train)

    @step
    def train(self):
        self.model = sum(self.rows)
        self.next(self.end)

    @step
    def end(self):
        print(self.model)


if __name__ == "__main__":
    LinearFlow()
