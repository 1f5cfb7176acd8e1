from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    names = Parameter("names", separator=1)
#                                        ^ FC0011 a string is expected

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
