from metaflow import FlowSpec, step, trigger


@trigger(events=["new_data", {"name": "new_data"}])
#                                     ^^^^^^^^^^ FC0228 given again
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
