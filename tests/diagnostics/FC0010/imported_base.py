from company.flows import BaseFlow
from metaflow import FlowSpec, step


class Demo(BaseFlow):
#          ^^^^^^^^ FC0010 `company.flows.BaseFlow` may hold steps and parameters that flowc does not see
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
