"""A flow of one step."""

from metaflow import FlowSpec, Parameter, step


class OneStepFlow(FlowSpec):
    greeting = Parameter("greeting", default="hello")

    @step
    def only(self):
        self.said = self.greeting + " world"
        print(self.said)

if __name__ == "__main__":
    OneStepFlow()
