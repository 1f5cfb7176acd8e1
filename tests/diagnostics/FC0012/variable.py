from metaflow import FlowSpec, retry, step

TIMES = int("3")


class Demo(FlowSpec):
    @retry(times=TIMES)
#                ^^^^^ FC0012 only Python could evaluate this
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
