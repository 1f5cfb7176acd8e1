"""Gangs: tasks of one step that run at the same time and know each other (`@parallel`)."""

import os

from .exceptions import InvalidNextException

VARIABLE = "_parallel_ubf_iter"
"""Artifact of the splitting task that holds the number of nodes (metaflow/flowspec.py, 2.19.39)."""


class ParallelUBF:
    """What Metaflow's client and its join expect in the place of a list of elements."""

    def __init__(self, num_parallel):
        self.num_parallel = num_parallel

    def __getitem__(self, item):
        return item or 0


ParallelUBF.__module__ = "metaflow.flowspec"


def start(flow, step, names, nodes):
    """Carries out `self.next(self.step, num_parallel=nodes)`."""
    if len(names) != 1:
        raise InvalidNextException("Only one destination allowed when num_parallel used in self.next()")
    try:
        import operator

        nodes = operator.index(nodes)
    except TypeError:
        nodes = None
    if nodes is None or nodes < 1:
        raise InvalidNextException(
            "Step *%s* has an invalid self.next() transition. The argument to 'num_parallel' must "
            "be a whole number from 1 on." % step
        )
    flow._parallel_ubf_iter = ParallelUBF(nodes)
    flow._unbounded_foreach = True
    flow._foreach_values = None
    flow._foreach_var = VARIABLE
    flow._gang_size = nodes


def enter(task):
    """Tells user code which node of the gang it is: before anything of it is imported."""
    frame = task["foreach"][-1]
    os.environ["MF_PARALLEL_MAIN_IP"] = "127.0.0.1"
    os.environ["MF_PARALLEL_NUM_NODES"] = str(frame["count"])
    os.environ["MF_PARALLEL_NODE_INDEX"] = str(frame["index"])
    os.environ["MF_PARALLEL_CONTROL_TASK_ID"] = control(task)


def control(task):
    """The task id of the node that Metaflow calls the control task: the first."""
    return "t-" + "-".join(str(index) for index in task["index"][:-1] + [0])


def mark(flow, task):
    """What the control task says of its gang."""
    frame = task["foreach"][-1]
    if frame["index"]:
        return
    first = control(task)
    nodes = [first[:-1] + str(index) for index in range(frame["count"])]
    flow._control_mapper_tasks = ["%s/%s/%s" % (task["run_id"], task["step"], it) for it in nodes]
    flow._control_task_is_mapper_zero = True
