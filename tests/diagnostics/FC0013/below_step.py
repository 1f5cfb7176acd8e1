from helpers import timed
from metaflow import FlowSpec, step


class Demo(FlowSpec):
    @step
    @timed
#    ^^^^^ FC0013 imported as `helpers.timed`; flowc cannot know whether it changes the step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
