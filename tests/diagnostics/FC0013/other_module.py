import functools

from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @functools.lru_cache
#    ^^^^^^^^^^^^^^^^^^^ FC0013 imported as `functools.lru_cache`; flowc cannot know whether it changes the step
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
