from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.text = "never closed
#                   ^^^^^^^^^^^^^ FC0001 syntax error: missing closing quote in string literal
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
