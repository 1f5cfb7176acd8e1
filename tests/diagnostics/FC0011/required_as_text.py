from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter("alpha", required="yes")
#                                       ^^^^^ FC0011 `True` or `False` is expected

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
