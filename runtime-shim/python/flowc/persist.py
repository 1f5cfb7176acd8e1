"""Stores what a step left on its flow object."""

import os
import sys

from . import artifacts
from .exceptions import Fault, MetaflowExceptionWrapper, UnpicklableArtifactException
from .flowspec import own_artifacts
from .foreach import FrameClassInMain

INTERNAL_LAST = ("_exception", "_success", "_task_ok")
"""Sent after all others: an artifact that does not pickle makes the attempt a failed one."""


class Spool:
    """Names files for large artifacts, and tells the shim how they grow."""

    def __init__(self, folder, prefix, wire):
        self._folder = folder
        self._prefix = prefix
        self._wire = wire
        self._count = 0

    def new(self):
        """The name of a new file."""
        self._count += 1
        name = "%s-%d-%d.pickle" % (self._prefix, os.getpid(), self._count)
        return os.path.join(self._folder, name)

    def grown(self, path, size):
        """The first `size` bytes of a file will not change any more."""
        self._wire.send({"op": "spooled", "path": path, "size": size})
        self._wire.flush()


def frame(name, value, spool):
    """The frame of an artifact, pickled."""
    if name == "_foreach_stack":
        with FrameClassInMain():
            return artifacts.frame(name, value, spool)
    return artifacts.frame(name, value, spool)


def persist(flow, task, wire, outcome):
    """Sends the artifacts of a task that ended and returns its `finish`; `flow` is empty then.

    Each object is dropped once it is pickled, so that no more than one is in
    memory together with its bytes.
    """
    spool = Spool(task["spool_dir"], "artifact", wire)
    store = flow._datastore
    count = flow.__dict__.get("_foreach_num_splits") if outcome.ok else None
    if outcome.ok and count is None:
        count = flow.__dict__.get("_gang_size")
    chosen = flow.__dict__.get("_chosen")
    try:
        names = [name for name in own_artifacts(flow) if name not in INTERNAL_LAST]
        flow._cached_input.clear()
        if "_foreach_stack" in store.computed and "_foreach_stack" not in flow.__dict__:
            names.append("_foreach_stack")
            getattr(flow, "_foreach_stack")
        _references(flow, names, wire)
        for name in names:
            _one(flow, name, wire, spool, outcome)
    except Fault as fault:
        outcome.fault = outcome.fault or fault
    except Exception as error:
        # An input of ours could not be loaded, or a name is no text so that names cannot be sorted.
        outcome.error = outcome.error or error
    if outcome.error is not None or outcome.fault is not None:
        outcome.ok = False
        flow._success = False
    return _verdict(flow, task, wire, spool, outcome, count, chosen)


def _references(flow, names, wire):
    own = set(names)
    own.update(INTERNAL_LAST)
    for name, (parent, there) in flow._datastore.references.items():
        if name not in own:
            wire.send(_reference(name, parent, there))


def _reference(name, parent, there):
    return {"op": "artifact", "name": name, "input": parent.number, "from": there}


def _one(flow, name, wire, spool, outcome):
    loaded = flow._loaded
    if name in flow.__dict__:
        value = flow.__dict__.pop(name)
    else:
        value = getattr(flow, name)
    if name in loaded and loaded.pop(name) is value and type(value) in artifacts.ATOMS:
        source = flow._datastore.references.get(name)
        if source is not None:
            wire.send(_reference(name, *source))
            return
    try:
        sent = frame(name, value, spool)
    except UnpicklableArtifactException as error:
        if outcome.error is None:
            outcome.error = error
        return
    wire.send(sent)
    if "path" in sent:
        # The shim saves this one while the next is pickled.
        wire.flush()


def _verdict(flow, task, wire, spool, outcome, count, chosen):
    exception = described = None
    if outcome.error is not None:
        from . import failures

        described = failures.describe(outcome.error, task.get("file"), task["step"])
        if isinstance(outcome.error, UnpicklableArtifactException):
            described["traceback"] = None
            print(described["message"], file=sys.stderr)
        else:
            failures.show(outcome.error)
        exception = MetaflowExceptionWrapper(outcome.error)
    for name, value in (
        ("_exception", exception),
        ("_success", flow.__dict__.get("_success", False)),
        ("_task_ok", outcome.ok),
    ):
        wire.send(frame(name, value, spool))
    fault = outcome.fault
    return {
        "op": "finish",
        "ok": outcome.ok,
        "count": count if outcome.ok else None,
        "next": chosen if outcome.ok else None,
        "exception": described,
        "retry": outcome.retry,
        "fault": fault and {"exit": fault.exit, "message": fault.message},
    }
