from metaflow import (
    FlowSpec,
    Parameter,
    batch,
    catch,
    environment,
    kubernetes,
    project,
    resources,
    retry,
    schedule,
    step,
    timeout,
)


@project(name="shop", branch="Next")
#                            ^^^^^^ FC0215 only `a` to `z`, digits and underscores are allowed
@schedule(cron="30 6 * * MON-FRI", timezone="Europe/Berlin")
class DecoratedFlow(FlowSpec):
    alpha = Parameter("alpha", type=float, default=0.5)

    @retry(times=2)
    @timeout(minutes=5)
    @environment(vars={"MODE": "fast"})
    @resources(cpu=2, memory=8000)
    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.work, foreach="items")

    @catch(var="problem")
    @kubernetes(image="python:3.12", qos="Burstable")
    @step
    def work(self):
        self.next(self.gather)

    @batch(queue="fast", tmpfs_path="/scratch")
    @step
    def gather(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    DecoratedFlow()
