from metaflow import FlowSpec, secrets, step


class Demo(FlowSpec):
    @secrets(sources=["aws-secret-manager.db"])
#                     ^^^^^^^^^^^^^^^^^^^^^^^ FC0221 unknown type
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
