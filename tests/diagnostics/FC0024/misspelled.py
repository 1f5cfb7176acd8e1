from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter("alpha", defualt=1)
#                              ^^^^^^^ FC0024 unknown option

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
