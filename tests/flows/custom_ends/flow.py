"""The first and the last step have names of their own."""

from metaflow import FlowSpec, step


class CustomEndsFlow(FlowSpec):
    @step(start=True)
    def load(self):
        self.rows = 3
        self.next(self.publish)

    @step(end=True)
    def publish(self):
        print(self.rows)

if __name__ == "__main__":
    CustomEndsFlow()
