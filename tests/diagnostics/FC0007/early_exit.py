from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        if not self.items:
            self.next(self.end)
#           ^^^^^^^^^^^^^^^^^^^ FC0007 does not count here
            return
        self.next(self.work)

    @step
    def work(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
