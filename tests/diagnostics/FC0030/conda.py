from metaflow import FlowSpec, conda, step


class Demo(FlowSpec):
    @conda(packages={"pandas": "2.2"})
#    ^^^^^ FC0030 no packages are installed
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
