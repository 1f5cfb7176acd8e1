"""The stack of open foreaches, as Metaflow stores it."""

import collections
import sys

ForeachFrame = collections.namedtuple(
    "ForeachFrame", ["step", "var", "num_splits", "index", "value"]
)
ForeachFrame.__new__.__defaults__ = (None,) * 5
# Metaflow's own is found there by whoever unpickles it (metaflow/tuple_util.py, 2.19.39).
ForeachFrame.__module__ = "__main__"


def set_stack(flow, task, inputs):
    """Gives `flow` its `_foreach_stack`; nothing is loaded before it is asked for."""
    if not task.get("foreach"):
        flow._foreach_stack = []
        return
    store, first = flow._datastore, inputs[0]
    if task["kind"] == "join":
        if not task.get("empty") and _closes_foreach(inputs):
            store.computed["_foreach_stack"] = lambda: first.load("_foreach_stack")[:-1]
        else:
            store.references["_foreach_stack"] = (first, "_foreach_stack")
    elif not first.is_none("_foreach_var"):
        store.computed["_foreach_stack"] = lambda: _pushed(task, first)
    else:
        store.references["_foreach_stack"] = (first, "_foreach_stack")


def _closes_foreach(inputs):
    """Branches of a split end in different steps, elements of a foreach in the same."""
    return all(parent.step == inputs[0].step for parent in inputs)


def _pushed(task, split):
    innermost = task["foreach"][-1]
    index = task["index"][-1]
    count = None if task.get("gang") else innermost["count"]
    value = None
    if not split.is_none("_foreach_values"):
        value = split.load("_foreach_values")[index]
    frame = ForeachFrame(task["step"], innermost["variable"], count, index, value)
    outer = split.load("_foreach_stack") if len(task["foreach"]) > 1 else []
    return outer + [frame]


class FrameClassInMain:
    """While a stack is pickled or loaded, `__main__.ForeachFrame` is the class above."""

    def __enter__(self):
        self._main = sys.modules["__main__"].__dict__
        self._held = self._main.get("ForeachFrame")
        self._main["ForeachFrame"] = ForeachFrame

    def __exit__(self, *_error):
        if self._held is not None:
            self._main["ForeachFrame"] = self._held
