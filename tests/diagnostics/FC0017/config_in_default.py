import metaflow
from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    alpha = Parameter("alpha", default=metaflow.config_expr("settings.alpha"))
#                                      ^^^^^^^^^^^^^^^^^^^^ FC0017 known only when Python runs

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
