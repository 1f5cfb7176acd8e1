from metaflow import FlowSpec, retry, step


class Demo(FlowSpec):
    @retry(3)
#          ^ FC0201 a positional argument
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
