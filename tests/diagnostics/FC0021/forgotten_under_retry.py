from metaflow import FlowSpec, retry, step


class Demo(FlowSpec):
    @retry(times=1)
#    ^^^^^^^^^^^^^^ FC0021 this belongs on a step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
