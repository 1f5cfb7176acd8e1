from metaflow import (
    FlowSpec,
    JSONType,
    Parameter,
    catch,
    environment,
    project,
    resources,
    retry,
    schedule,
    step,
    timeout,
)


@project(name="demo")
@schedule(hourly=True)
class ShapeFlow(FlowSpec):
    """Every form of transition.

    More text,
      indented.
    """

    my_count = Parameter("my-count", type=int, default=3)
    alpha = Parameter("alpha", default=0.5, help="a float")
    words = Parameter("words", default="a,b", separator=",")
    settings = Parameter("settings", type=JSONType, default='{"a": 1}')

    SHARDS = 3
    labels = ["a"]
    weights = {"x": 1.5}
    nothing = None

    @step
    def start(self):
        """Start it.

        More
          indented
        """
        self.items = [1, 2]
        self.next(self.outer, self.side)

    @retry(times=2)
    @resources(cpu=2, memory=8000)
    @step
    def outer(self):
        self.inner_items = [1]
        self.next(self.inner, foreach="items")

    @step
    def inner(self):
        self.next(self.leaf, foreach="inner_items")

    @step
    def leaf(self):
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.next(self.outer_join)

    @step
    def outer_join(self, inputs):
        self.next(self.join)

    @catch(var="problem")
    @environment(vars={"A": "b"})
    @timeout(hours=1, seconds=5)
    @step
    def side(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ShapeFlow()
