from metaflow import FlowSpec, pypi_base, step


@pypi_base(packages={"pandas": "2.2"})
#^^^^^^^^^ FC0030 no packages are installed
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
