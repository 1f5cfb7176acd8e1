from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self)
#                ^ FC0001 syntax error: expected `:`, found newline
        pass


if __name__ == "__main__":
    Demo()
