from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next()
#       ^^^^^^^^^^^ FC0006 no step is named

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
