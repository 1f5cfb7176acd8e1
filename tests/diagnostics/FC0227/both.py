from metaflow import FlowSpec, step, trigger


@trigger(event="a", events=["b", "c"])
#                          ^^^^^^^^^^ FC0227 given here
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
