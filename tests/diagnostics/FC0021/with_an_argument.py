from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step(name="begin")
#         ^^^^^^^^^^^^ FC0021 unknown argument
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
