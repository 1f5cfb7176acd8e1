from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    @step
#    ^^^^ FC0021 again
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
