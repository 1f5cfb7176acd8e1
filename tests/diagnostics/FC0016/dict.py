from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    options = Parameter("options", type=dict)
#                                       ^^^^ FC0016 not supported

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
