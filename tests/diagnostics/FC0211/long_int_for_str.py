from metaflow import FlowSpec, JSONType, Parameter, schedule, step


class ParameterFlow(FlowSpec):
    alpha = Parameter("alpha", default=0.5, help="learning rate")
    rounds = Parameter("rounds", type=int, default=10)
    names = Parameter("names", default="a,b", separator=",")
    settings = Parameter("settings", type=JSONType, default='{"depth": 3}')
    verbose = Parameter("verbose", type=str, default=-123456789012345678901)
#                                                    ^^^^^^^^^^^^^^^^^^^^^^ FC0211 this is `-123456789012345678901`

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        print(self.alpha, self.rounds, self.names)


if __name__ == "__main__":
    ParameterFlow()
