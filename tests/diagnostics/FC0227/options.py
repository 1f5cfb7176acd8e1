from metaflow import FlowSpec, step, trigger


@trigger(event="a", options={"reset_att": {"cron": "0 6 * * *"}})
#                            ^^^^^^^^^^^ FC0227 not known here
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
