from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end())
#                 ^^^^^^^^^^ FC0006 this calls the step

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
