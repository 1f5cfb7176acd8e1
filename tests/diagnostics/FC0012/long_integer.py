from metaflow import FlowSpec, resources, step


class Demo(FlowSpec):
    @resources(memory=99999999999999999999)
#                     ^^^^^^^^^^^^^^^^^^^^ FC0012 this integer does not fit 64 bits
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
