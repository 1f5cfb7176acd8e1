from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step(end=True)
#         ^^^^^^^^ FC0022 a custom end step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
