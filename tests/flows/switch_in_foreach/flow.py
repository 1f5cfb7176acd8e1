"""A switch inside a foreach, whose arms end in the join; a foreach inside an arm."""

from metaflow import FlowSpec, step


class SwitchInForeachFlow(FlowSpec):
    @step
    def start(self):
        self.items = ["a", "b", "c"]
        self.next(self.look, foreach="items")

    @step
    def look(self):
        self.kind = {"a": "many", "b": "one", "c": "none"}[self.input]
        self.next(
            {"many": self.fan_out, "one": self.single, "none": self.skip}, condition="kind"
        )

    @step
    def fan_out(self):
        self.parts = [10, 20]
        self.next(self.part, foreach="parts")

    @step
    def part(self):
        self.value = self.input + 1
        self.place = [frame.index for frame in self._foreach_stack]
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.value = [(one.place, one.value) for one in inputs]
        self.next(self.gather)

    @step
    def single(self):
        self.value = "single " + self.input
        self.next(self.gather)

    @step
    def skip(self):
        self.value = None
        self.next(self.gather)

    @step
    def gather(self, inputs):
        # Metaflow hands over inputs from different arms in any order, flowc by index.
        self.values = sorted(str(one.value) for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.values)

if __name__ == "__main__":
    SwitchInForeachFlow()
