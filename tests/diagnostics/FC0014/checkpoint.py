from metaflow import FlowSpec, checkpoint, step


class Demo(FlowSpec):
    @checkpoint
#    ^^^^^^^^^^ FC0014 not supported yet
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
