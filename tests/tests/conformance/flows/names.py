from metaflow import FlowSpec, step


class NamesFlow(FlowSpec):
    """Step names that mean something to Python, YAML, expressions or the generated file."""

    @step
    def start(self):
        self.next(self.n, self.no, self.on, self.null, self.json, self.str, self.dag, self.range)

    @step
    def n(self):
        self.next(self.join)

    @step
    def no(self):
        self.next(self.join)

    @step
    def on(self):
        self.next(self.join)

    @step
    def null(self):
        self.next(self.join)

    @step
    def json(self):
        self.next(self.join)

    @step
    def str(self):
        self.next(self.join)

    @step
    def dag(self):
        self.next(self.join)

    @step
    def range(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.a_step_with_a_name_that_is_longer_than_any_other_but_still_quite_legal_in_python)

    @step
    def a_step_with_a_name_that_is_longer_than_any_other_but_still_quite_legal_in_python(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NamesFlow()
