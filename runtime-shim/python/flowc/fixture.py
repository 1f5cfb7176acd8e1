"""Makes artifacts of a fixture, for `flowc test step`: `python harness.py fixture`.

Standard input is one JSON object: `file`, the fixture; `folder`, where pickles
go; `artifacts`, what every input has besides, as JSON; `stack`, the foreaches
that are open around the inputs; `split`, the variable of the foreach that the
one input splits over; `fan`, the foreach whose elements the inputs are.
Standard output gets one: `inputs`, for each its artifacts with `path`, `size`
and `type`, and `count`, the number of elements of `split`; or `error`.
"""

import json
import os
import sys
from pickle import load

from . import artifacts, lifeline, modules
from .foreach import ForeachFrame
from .persist import Spool


def main():
    """Answers the one request."""
    request = lifeline.request()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    modules.install()
    sys.modules["__main__"].ForeachFrame = ForeachFrame
    sys.path.insert(0, os.getcwd())
    try:
        answer = make(request)
    except Exception as error:
        told = " ".join(str(error).split())
        if not isinstance(error, Unusable):
            told = "%s: %s" % (type(error).__name__, told)
        answer = {"error": told}
    out.write(json.dumps(answer) + "\n")
    out.flush()


class Unusable(Exception):
    """The fixture is not what it should be."""


def make(request):
    """The answer, after the pickles are written."""
    inputs = read(request["file"])
    count = None
    split, fan = request.get("split"), request.get("fan")
    if split is not None and len(inputs) == 1:
        if split not in inputs[0]:
            raise Unusable("it has no `%s`, which the foreach before the step goes over" % split)
        count = len(inputs[0][split])
    spool = Spool(request["folder"], "fixture", None)
    made = []
    for number, given in enumerate(inputs):
        stack = [ForeachFrame(*frame) for frame in request["stack"]]
        if fan is not None:
            stack.append(ForeachFrame(fan["step"], fan["variable"], len(inputs), number))
        values = dict(request["artifacts"], _foreach_stack=stack, _task_ok=True, _success=True)
        if count is not None:
            values.update(_foreach_var=split, _foreach_num_splits=count)
        values.update(given)
        made.append({name: write(name, value, spool) for name, value in values.items()})
    return {"inputs": made, "count": count}


def read(file):
    """The inputs of a fixture: dictionaries of artifacts."""
    if file.endswith(".json"):
        with open(file, encoding="utf-8") as text:
            found = json.load(text)
    else:
        with open(file, "rb") as pickled:
            found = load(pickled)
    if isinstance(found, dict) and found and all(map(is_task, found.items())):
        # What `dump --file` writes: tasks by name.
        found = list(found.values())
    inputs = found if isinstance(found, list) else [found]
    for one in inputs:
        if not isinstance(one, dict) or not all(isinstance(name, str) for name in one):
            raise Unusable("it holds no artifacts by name, but %.60r" % (one,))
    return inputs


def is_task(pair):
    """Whether a name is `run/step/task` and its value a dictionary."""
    name, value = pair
    return isinstance(name, str) and name.count("/") == 2 and isinstance(value, dict)


def write(name, value, spool):
    """Pickles a value into a file of its own."""
    sink = artifacts.dump(value, spool)
    path = sink.path
    if path is None:
        path = spool.new()
        with open(path, "xb") as file:
            file.write(sink.data())
    return {"path": path, "size": sink.size, "type": str(type(value))}
