from metaflow import FlowSpec, step, trigger, trigger_on_finish


@trigger(event="new_data")
@trigger_on_finish(flow="Other")
#^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0228 and by runs that end
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
