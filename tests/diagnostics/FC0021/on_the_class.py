from metaflow import FlowSpec, Parameter, step


@step
#^^^^ FC0021 a class is no step
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
