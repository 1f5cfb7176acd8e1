from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter("alpha", type="float")
#                                   ^^^^^^^ FC0016 not supported

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
