from metaflow import FlowSpec, Parameter, step, trigger


@trigger(event={"name": "a", "parameters": {"alpha": "x"}})
class Demo(FlowSpec):
    alpha = Parameter("alpha", required=True)
    beta = Parameter("beta", required=True)
#          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0213 nothing that starts a run gives it a value

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
