from metaflow import FlowSpec, step, trigger


@trigger
#^^^^^^^ FC0227 nothing starts a run
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
