from metaflow import FlowSpec, exit_hook, step


@exit_hook(on_success=[], on_error=[])
#^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0222 no function
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
