from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter(default=1)
#           ^^^^^^^^^ FC0011 its first argument is its name

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
