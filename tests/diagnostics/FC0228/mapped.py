from metaflow import FlowSpec, Parameter, step, trigger


@trigger(events=[{"name": "a", "parameters": {"alpha": "x"}}, {"name": "b", "parameters": ["ALPHA"]}])
#                                                                                          ^^^^^^^ FC0228 which field is its value?
class Demo(FlowSpec):
    alpha = Parameter("alpha", default=0.5)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
