from metaflow import FlowSpec, JSONType, Parameter, schedule, step


class ParameterFlow(FlowSpec):
    alpha = Parameter("alpha", default=0.5, help="learning rate")
    rounds = Parameter("rounds", type=int, default=10)
    names = Parameter("names", default="a,b", separator=",")
    settings = Parameter("settings", type=JSONType, default='{depth: 3}')
#                                                           ^^^^^^^^^^^^ FC0211 not JSON
    verbose = Parameter("verbose", type=bool, default=False)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        print(self.alpha, self.rounds, self.names)


if __name__ == "__main__":
    ParameterFlow()
