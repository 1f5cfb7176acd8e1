from metaflow import FlowSpec, IncludeFile, step


class Demo(FlowSpec):
    data = IncludeFile("data", default="data.csv")
#          ^^^^^^^^^^^ FC0017 not supported yet

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
