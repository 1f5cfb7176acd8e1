from metaflow import FlowSpec, step


class Common(FlowSpec):
    @step
    def start(self):
        self.next(self.end)


class Train(FlowSpec, Common):
#     ^^^^^ FC0025 a base stands before a class that derives from it, or twice
    @step
    def end(self):
        pass


if __name__ == "__main__":
    Train()
