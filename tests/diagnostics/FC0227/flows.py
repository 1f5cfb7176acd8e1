from metaflow import FlowSpec, step, trigger_on_finish


@trigger_on_finish(
    flows=[
#         ^... FC0227 in this trigger
#         ^... FC0227 in this trigger
        "shop.TrainFlow",
#       ^^^^^^^^^^^^^^^^ FC0227 a flow's name has no dot, or a project and a branch in front
        "Train-Flow",
#       ^^^^^^^^^^^^ FC0227 not a name of a flow
        "Shop.prod.TrainFlow",
#       ^^^^^^^^^^^^^^^^^^^^^ FC0227 not a project name
        {"name": "a.B"},
#                ^^^^^ FC0227 not a name of a flow
        {"name": "A", "project": "shop"},
#                ^^^ FC0227 of which branch?
        {"name": "B", "project_branch": "prod"},
#                ^^^ FC0227 of which project?
        {"name": "C", "branch": "prod"},
#                     ^^^^^^^^ FC0227 not known here
        {"project": "shop"},
        {"name": "D", "project": "shop", "project_branch": "prod branch"},
#                                                          ^^^^^^^^^^^^^ FC0227 not a branch
        {"name": "E", "project": 1},
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
