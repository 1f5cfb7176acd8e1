from metaflow import FlowSpec, parallel, step


class TrainFlow(FlowSpec):
    @parallel
#    ^^^^^^^^ FC0129 nothing comes before it that could start a gang
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TrainFlow()
