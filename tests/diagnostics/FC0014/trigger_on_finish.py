from metaflow import FlowSpec, trigger_on_finish, step


@trigger_on_finish(flow="Other")
#^^^^^^^^^^^^^^^^^ FC0014 not supported yet
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
