from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    def start(self):
        from metaflow.cards import Markdown
#                                  ^^^^^^^^ FC0019 not provided yet
        self.text = str(Markdown("x"))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
