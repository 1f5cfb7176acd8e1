from metaflow import FlowSpec, secrets, step


class Demo(FlowSpec):
    @secrets(sources=[{"type": "gcp-secret-manager", "id": "db"}])
#                                                          ^^^^ FC0221 not supported yet
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
