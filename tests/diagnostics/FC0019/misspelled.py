from metaflow import FlowSpec, JsonType, step
#                              ^^^^^^^^ FC0019 not provided yet


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
