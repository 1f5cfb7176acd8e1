from metaflow import FlowSpec, secrets, step


class Demo(FlowSpec):
    @secrets(sources=[{"type": "inline", "options": {}}])
#                              ^^^^^^^^ FC0221 which secret?
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
