from metaflow import FlowSpec, Parameter, step


class LinearFlow(FlowSpec):
    limit = Parameter("limit", default=10)

    @step
    def start(self):
        self.rows = list(range(self.limit))
        self.next(self.train)

    @step
    def clean(self):
#       ^^^^^ FC0115 no transition leads here
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
