from metaflow import FlowSpec, Parameter, step, trigger_on_finish


@trigger_on_finish(flow="A")
class Demo(FlowSpec):
    alpha = Parameter("alpha", required=True)
#           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0213 nothing that starts a run gives it a value

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
