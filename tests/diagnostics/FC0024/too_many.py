from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter("alpha", 1, int, "rate", False, True, ",")
#                                                           ^^^ FC0024 which option is this?

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
