"""A flow that starts when another one has ended well; here it is started by hand."""

from metaflow import FlowSpec, Parameter, current, step, trigger_on_finish


def day_of(started, otherwise):
    """The day that the run which started this one was about."""
    return started.run.data.day if started else otherwise


@trigger_on_finish(flow="PricesFlow")
class TriggerOnFinishFlow(FlowSpec):
    otherwise = Parameter("otherwise", default="no day")

    @step
    def start(self):
        self.day = day_of(current.get("trigger"), self.otherwise)
        self.next(self.weekly, self.monthly)

    @step
    def weekly(self):
        self.title = "week of " + day_of(current.get("trigger"), self.otherwise)
        self.next(self.join)

    @step
    def monthly(self):
        self.title = "month of " + day_of(current.get("trigger"), self.otherwise)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.titles = [inputs.weekly.title, inputs.monthly.title]
        self.merge_artifacts(inputs, include=["day"])
        self.next(self.end)

    @step
    def end(self):
        self.runs = [run.pathspec for run in (current.get("trigger") and current.trigger.runs) or []]
        print(self.titles, self.runs)


if __name__ == "__main__":
    TriggerOnFinishFlow()
