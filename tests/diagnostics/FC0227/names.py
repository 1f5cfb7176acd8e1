from metaflow import FlowSpec, step, trigger


@trigger(
    events=[
#          ^... FC0227 in this trigger
#          ^... FC0227 in this trigger
#          ^... FC0227 in this trigger
        "new data",
#       ^^^^^^^^^^ FC0227 not a name of an event
        {"name": "b c"},
#                ^^^^^ FC0227 not a name of an event
        {"parameters": {}},
        {"nam": "d"},
#        ^^^^^ FC0227 not known here
        {"name": 3},
        {"name": "e", "parameters": ["x", ("y", 1)]},
    ]
)
class Demo(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Demo()
