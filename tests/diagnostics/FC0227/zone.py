from metaflow import FlowSpec, step, trigger_on_finish


@trigger_on_finish(flow="A", options={"reset_at": {"cron": "0 6 * * *", "timezone": "+1"}})
#                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0227 in these options
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
