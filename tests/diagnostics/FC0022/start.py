from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step(start=True)
#         ^^^^^^^^^^ FC0022 a custom start step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
