from metaflow import FlowSpec, retry, step

POLICIES = [retry]


class Demo(FlowSpec):
    @POLICIES[0]
#    ^^^^^^^^^^^ FC0012 known only when Python runs
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
