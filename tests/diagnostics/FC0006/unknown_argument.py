from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end, when="monday")
#                           ^^^^ FC0006 unknown argument

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
