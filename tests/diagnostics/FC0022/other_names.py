from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step(start=True)
#         ^^^^^^^^^^ FC0022 a custom start step
    def begin(self):
        self.next(self.finish)

    @step(end=True)
#         ^^^^^^^^ FC0022 a custom end step
    def finish(self):
        pass
