from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.work)

    @step
    def work(self):
        self.next(self.end)

    @step
    def work(self):
#       ^^^^ FC0020 this one hides the other
        self.next(self.end)

    @step
    def work(self):
#       ^^^^ FC0020 this one hides the other
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
