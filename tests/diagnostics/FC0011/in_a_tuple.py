from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha, beta = Parameter("alpha"), Parameter("beta")
#                 ^^^^^^^^^^^^^^^^^^ FC0011 part of a tuple
#                                     ^^^^^^^^^^^^^^^^^ FC0011 part of a tuple

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
