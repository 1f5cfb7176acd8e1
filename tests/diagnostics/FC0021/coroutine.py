from metaflow import FlowSpec, Parameter, step


class Demo(FlowSpec):
    @step
    async def start(self):
#             ^^^^^ FC0021 `async def` cannot be a step
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
