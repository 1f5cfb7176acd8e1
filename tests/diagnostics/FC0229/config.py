from metaflow import Config, FlowSpec, step, trigger


@trigger(events=["b", {"name": "a", "parameters": {"settings": "settings"}}])
#               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0229 no such parameter
class Demo(FlowSpec):
    settings = Config("settings", default_value={})
#              ^^^^^^ FC0017 known only when Python runs

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
