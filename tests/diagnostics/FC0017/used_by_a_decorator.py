from metaflow import Config, FlowSpec, Parameter, resources, step


class Demo(FlowSpec):
    settings = Config("settings", default_value='{"cpu": 2}')
#              ^^^^^^ FC0017 known only when Python runs
    alpha = Parameter("alpha", default=settings.alpha)

    @resources(cpu=settings["cpu"])
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass
