from dataclasses import dataclass

from metaflow import FlowSpec, step


@dataclass
#^^^^^^^^^ FC0013 imported as `dataclasses.dataclass`; flowc cannot know whether it changes the flow
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
