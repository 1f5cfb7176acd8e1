from metaflow import FlowSpec, retry, step


class Demo(FlowSpec):
    @rety(times=2)
#    ^^^^ FC0013 not defined in this file
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
