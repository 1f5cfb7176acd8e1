from metaflow import FlowSpec, step


class Left(FlowSpec):
    @step
    def start(self):
        self.next(self.end)


class Right(FlowSpec):
    @step
    def end(self):
        pass


class One(Left, Right):
    pass


class Other(Right, Left):
    pass


class Train(One, Other):
#     ^^^^^ FC0025 a base stands before a class that derives from it, or twice
    pass


if __name__ == "__main__":
    Train()
