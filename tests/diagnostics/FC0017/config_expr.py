from metaflow import FlowSpec, config_expr, resources, step


class Demo(FlowSpec):
    @resources(cpu=config_expr("settings.cpu"))
#                  ^^^^^^^^^^^ FC0017 known only when Python runs
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
