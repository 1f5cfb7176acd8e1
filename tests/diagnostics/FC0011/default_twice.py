from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter("alpha", 1, default=2)
#                                 ^^^^^^^^^ FC0011 also given by position

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
