from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.count = = 1
#                    ^ FC0001 syntax error: expected an expression
        self.next(self.end)

    @step
    def end(self):
        self.total = (1 +)
#                        ^ FC0001 syntax error: expected an expression


if __name__ == "__main__":
    Demo()
