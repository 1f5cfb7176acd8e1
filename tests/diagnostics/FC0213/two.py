from metaflow import FlowSpec, JSONType, Parameter, schedule, step


@schedule(cron="0 5 * * *")
class ParameterFlow(FlowSpec):
    alpha = Parameter("alpha", required=True, help="learning rate")
#           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0213 nobody gives it a value when the schedule starts a run
    rounds = Parameter("rounds", type=int, required=True)
#            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0213 nobody gives it a value when the schedule starts a run
    names = Parameter("names", default="a,b", separator=",")
    settings = Parameter("settings", type=JSONType, default='{"depth": 3}')
    verbose = Parameter("verbose", type=bool, default=False)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        print(self.alpha, self.rounds, self.names)


if __name__ == "__main__":
    ParameterFlow()
