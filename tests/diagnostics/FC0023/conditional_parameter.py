from metaflow import FlowSpec, Parameter, step

DEBUG = True


class Demo(FlowSpec):
    if DEBUG:
        alpha = Parameter("alpha", default=1)
#               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0023 only Python knows whether it exists

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
