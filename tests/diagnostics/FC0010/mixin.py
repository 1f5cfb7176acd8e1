from metaflow import FlowSpec, step

import mixins


class Demo(mixins.Logging, FlowSpec):
#          ^^^^^^^^^^^^^^ FC0010 `mixins.Logging` may hold steps and parameters that flowc does not see
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
