from metaflow import FlowSpec, project, step, trigger_on_finish


@project(name="shop", branch="next")
@trigger_on_finish(flows=["A", {"name": "A", "project_branch": "test.next"}, "shop.prod.A"])
#                                       ^^^ FC0228 given again
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
