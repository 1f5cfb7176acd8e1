from metaflow import FlowSpec, step


class TuneFlow(FlowSpec):
    @step
    def start(self):
        self.rates = [0.1, 0.2]
        self.next(self.tune, foreach="rates")

    @step
    def tune(self):
        self.state = "done"
        self.next({"more": self.tune, "done": self.pick}, condition="state")
#                                             ^^^^^^^^^ FC0125 chosen only sometimes, while a join waits for all

    @step
    def pick(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TuneFlow()
