from metaflow import FlowSpec, Parameter, step

ALPHA = float("0.5")


class Demo(FlowSpec):
    alpha = Parameter("alpha", default=ALPHA)
#                                      ^^^^^ FC0011 only Python could evaluate this

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
