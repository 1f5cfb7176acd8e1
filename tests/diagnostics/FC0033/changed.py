from metaflow import FlowSpec, Parameter, step


class Flow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


Flow.alpha = Parameter("alpha", default=1)
#<- FC0033 changes `Flow` after its definition

if __name__ == "__main__":
    Flow()
