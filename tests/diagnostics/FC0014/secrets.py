from metaflow import FlowSpec, secrets, step


class Demo(FlowSpec):
    @secrets(sources=["db"])
#    ^^^^^^^ FC0014 not supported yet
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
