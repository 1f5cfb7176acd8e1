from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step("begin")
#         ^^^^^^^ FC0021 what is this?
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
