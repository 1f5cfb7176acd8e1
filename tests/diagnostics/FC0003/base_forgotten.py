from metaflow import FlowSpec, Parameter, step


class Demo:
#     ^^^^ FC0003 does not derive from `FlowSpec`
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
