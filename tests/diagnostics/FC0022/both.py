from metaflow import FlowSpec, step

LAST = True


class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step(start=False, end=LAST)
#                      ^^^^^^^^ FC0022 a custom end step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
