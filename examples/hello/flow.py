from metaflow import FlowSpec, Parameter, step


class HelloFlow(FlowSpec):
    """Greets someone: the smallest flow that passes a value from step to step."""

    who = Parameter("who", default="world", help="Who is greeted.")

    @step
    def start(self):
        """Choose the words."""
        self.words = ["Hello", self.who]
        self.next(self.greet)

    @step
    def greet(self):
        """Make a sentence of them."""
        self.greeting = ", ".join(self.words) + "!"
        print(self.greeting)
        self.next(self.end)

    @step
    def end(self):
        """The greeting is still here."""
        print("greeted in", len(self.greeting), "characters")


if __name__ == "__main__":
    HelloFlow()
