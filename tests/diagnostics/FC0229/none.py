from metaflow import FlowSpec, step, trigger


@trigger(event={"name": "a", "parameters": ["alpha"]})
#                                           ^^^^^^^ FC0229 no such parameter
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
