from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(getattr(self, "end"))
#                 ^^^^^^^^^^^^^^^^^^^^ FC0006 only Python could evaluate this

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
