from metaflow import FlowSpec, retry, step

HOW = {"times": 1}


class Demo(FlowSpec):
    @retry(**HOW)
#          ^^^^^ FC0012 only Python could evaluate this
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
