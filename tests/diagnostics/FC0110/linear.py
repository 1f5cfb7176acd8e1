from metaflow import FlowSpec, Parameter, step


class LinearFlow(FlowSpec):
    limit = Parameter("limit", default=10)

    @step
    def start(self):
        self.rows = list(range(self.limit))
        self.next(self.clean)

    @step
    def clean(self):
        self.rows = [row for row in self.rows if row]
        self.next(self.train)

    @step
    def train(self):
        self.model = sum(self.rows)
        self.next(self.end)

    @step
    def end(self, inputs):
#                 ^^^^^^ FC0110 the extra argument makes it a join
        print(self.model)


if __name__ == "__main__":
    LinearFlow()
