from metaflow import FlowSpec, S3, step
#                              ^^ FC0019 not provided yet


class Demo(FlowSpec):
    @step
    def start(self):
        with S3(run=self) as s3:
            self.urls = s3.list_paths()
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
