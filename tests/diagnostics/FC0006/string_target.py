from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next("end")
#                 ^^^^^ FC0006 this is a string

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
