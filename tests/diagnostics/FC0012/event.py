from metaflow import FlowSpec, step, trigger


def pick(context):
    return "new_data"


@trigger(event=pick)
#              ^^^^ FC0012 only Python could evaluate this
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
