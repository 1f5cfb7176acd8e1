from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        try:
            self.items = [1]
        finally:
            self.next(self.end)
#           ^^^^^^^^^^^^^^^^^^^ FC0007 does not count here

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
