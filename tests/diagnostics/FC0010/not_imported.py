from metaflow import step


class Demo(FlowSpec):
#          ^^^^^^^^ FC0010 not defined
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
