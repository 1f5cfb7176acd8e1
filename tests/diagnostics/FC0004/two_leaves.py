from metaflow import FlowSpec, step


class Train(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


class Score(Train):
#     ^^^^^ FC0004 this one?
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


class Report(Train):
    pass
