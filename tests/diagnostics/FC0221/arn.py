from metaflow import FlowSpec, secrets, step


class Demo(FlowSpec):
    @secrets(sources=["arn:aws:secretsmanager:eu-west-1:123456789012:secret:a.b-AbCdEf"])
#                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0221 what stands before the first `.` is read as the type
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
