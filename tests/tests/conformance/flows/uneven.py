from metaflow import FlowSpec, step


class UnevenFlow(FlowSpec):
    """A switch in a foreach, a loop, a merge that a switch may choose itself, a switch that may pass by two steps."""

    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.look, foreach="items")

    @step
    def look(self):
        self.kind = "plain"
        self.next({"plain": self.plain, "same": self.plain, "loop": self.again, "tidy": self.tidy}, condition="kind")

    @step
    def plain(self):
        self.next(self.gather)

    @step
    def again(self):
        self.state = "done"
        self.next({"more": self.again, "done": self.tidy}, condition="state")

    @step
    def tidy(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.choose)

    @step
    def choose(self):
        self.way = 0
        self.next({0: self.deep, 1: self.shallow, 2: self.end}, condition="way")

    @step
    def deep(self):
        self.next(self.shallow)

    @step
    def shallow(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    UnevenFlow()
