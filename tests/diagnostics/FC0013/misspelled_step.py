from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @stpe
#    ^^^^ FC0013 not defined in this file
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
