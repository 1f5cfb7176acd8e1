from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        if len(self.items) > 1:
            self.next(self.left)
#           ^^^^^^^^^^^^^^^^^^^^ FC0007 does not count here
        else:
            self.next(self.right)
#           ^^^^^^^^^^^^^^^^^^^^^ FC0007 does not count here

    @step
    def left(self):
        self.next(self.end)

    @step
    def right(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
