from metaflow import FlowSpec, step


class ShardsFlow(FlowSpec):
    @step
    def start(self):
        self.shards = [1, 2, 3]
        self.next(self.look, foreach="shards")

    @step
    def look(self):
        self.size = "big" if self.input > 1 else "small"
        self.next({"big": self.split_up, "small": self.gather}, condition="size")
#                                                 ^^^^^^^^^^^ FC0125 chosen only sometimes, while a join waits for all

    @step
    def split_up(self):
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ShardsFlow()
