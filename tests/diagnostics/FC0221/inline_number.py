from metaflow import FlowSpec, secrets, step


class Demo(FlowSpec):
    @secrets(sources=[{"id": "db", "type": "inline", "options": {"env_vars": {"A": 1}}}])
#                            ^^^^ FC0221 in this source
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
