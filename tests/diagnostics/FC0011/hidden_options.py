from metaflow import FlowSpec, Parameter, step

OPTIONS = {"default": 1}


class Demo(FlowSpec):
    alpha = Parameter("alpha", **OPTIONS)
#                              ^^^^^^^^^ FC0011 known only when Python runs

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
