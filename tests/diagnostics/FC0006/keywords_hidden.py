from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        how = {}
        self.next(self.end, **how)
#                           ^^^^^ FC0006 `**` hides the keywords

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
