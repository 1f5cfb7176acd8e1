from metaflow import FlowSpec, airflow_s3_key_sensor, step


@airflow_s3_key_sensor(bucket_key="s3://b/k")
#^^^^^^^^^^^^^^^^^^^^^ FC0014 not supported yet
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
