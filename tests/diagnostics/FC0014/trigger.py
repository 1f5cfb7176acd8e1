from metaflow import FlowSpec, trigger, step


@trigger(event="new_data")
#^^^^^^^ FC0014 not supported yet
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
