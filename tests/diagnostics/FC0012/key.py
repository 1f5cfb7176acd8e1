from metaflow import FlowSpec, environment, step


class Demo(FlowSpec):
    @environment(vars={1: "x"})
#                      ^ FC0012 a key must be a string
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
