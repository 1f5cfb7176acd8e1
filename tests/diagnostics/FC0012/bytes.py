from metaflow import FlowSpec, environment, step


class Demo(FlowSpec):
    @environment(vars={"A": b"1"})
#                           ^^^^ FC0012 bytes, sets, complex numbers and `...` have no counterpart in a target
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
