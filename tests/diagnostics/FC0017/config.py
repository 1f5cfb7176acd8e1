from metaflow import Config, FlowSpec, step


class Demo(FlowSpec):
    settings = Config("settings", default="settings.json")
#              ^^^^^^ FC0017 known only when Python runs

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
