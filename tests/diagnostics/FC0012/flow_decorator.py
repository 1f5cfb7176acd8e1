from metaflow import FlowSpec, project, step

TEAM = "ml"


@project(name=f"{TEAM}_demo")
#             ^^^^^^^^^^^^^^ FC0012 only Python could evaluate this
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
