from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @retry(times=2)
#    ^^^^^ FC0013 not imported
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
