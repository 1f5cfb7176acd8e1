from metaflow import FlowSpec, step


def timed(function):
    return function


class Demo(FlowSpec):
    @timed
#    ^^^^^ FC0013 defined in this file; flowc cannot know whether it changes the step
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
