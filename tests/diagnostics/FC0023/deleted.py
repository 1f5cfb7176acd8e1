from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = 1
    del alpha
#   ^^^^^^^^^ FC0023 takes an attribute away

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
