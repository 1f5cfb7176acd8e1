from metaflow import FlowSpec, Parameter, step, trigger


@trigger(event={"name": "a", "parameters": {"alpha": "body.alpha"}})
#                                                    ^^^^^^^^^^^^ FC0227 a field of the event's payload
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
