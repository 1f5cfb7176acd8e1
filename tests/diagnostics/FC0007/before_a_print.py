from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)
#       ^^^^^^^^^^^^^^^^^^^ FC0007 does not count here
        print("on the way")

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
