# class: Settings
from metaflow import FlowSpec, Parameter, step


class Settings:
#     ^^^^^^^^ FC0005 does not derive from `FlowSpec`
    debug = False


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
