from metaflow import FlowSpec, retry, step


class Demo(FlowSpec):
    @step
#    ^^^^ FC0021 not the innermost
    @retry(times=1)
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
