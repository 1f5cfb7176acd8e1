from metaflow import FlowSpec, step


class Train(FlowSpec):
#     ^^^^^ FC0004 this one?
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


class Score(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Train()
    Score()
