"""What started a run, as `current.trigger` shows it; names of events that belong to a branch of a project."""

import collections

from . import artifacts
from .current import current

MetaflowEvent = collections.namedtuple("MetaflowEvent", ["name", "id", "timestamp", "type"])
MetaflowEvent.__module__ = "metaflow.events"


class Trigger:
    """The events and runs that started this run, the latest first."""

    def __init__(self, wire, started):
        self._events = [_event(each) for each in started]
        self._runs = []
        for number, each in enumerate(started):
            known = [run.pathspec for run in self._runs]
            # A last step that is not called `end` is told of twice.
            if each["type"] == "run" and _of_task(each["id"]) not in known:
                self._runs.append(Run(wire, number, each["id"]))

    @property
    def event(self):
        """The latest event."""
        return next(iter(self._events), None)

    @property
    def events(self):
        """All events, the latest first."""
        return list(self._events) or None

    @property
    def run(self):
        """The latest run, if runs started this one."""
        return next(iter(self._runs), None)

    @property
    def runs(self):
        """All runs, the latest first, if runs started this one."""
        return list(self._runs) or None

    def __getitem__(self, key):
        if self._runs:
            found = [run for run in self._runs if run.path_components[0] == key]
        else:
            found = [event for event in self._events if event.name == key]
        if not found:
            raise KeyError(key)
        return found[0]

    def __iter__(self):
        return iter(list(self._events))

    def __contains__(self, key):
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __repr__(self):
        return "Trigger(%s)" % ", ".join(event.name for event in self._events)


class Run:
    """A run that started this one. It ended well, and lies in the same store."""

    successful = True
    finished = True

    def __init__(self, wire, number, end_task):
        self.pathspec = _of_task(end_task)
        self.path_components = self.pathspec.split("/")
        self.id = self.path_components[1]
        self.data = RunData(wire, number, self.pathspec)

    def __getattr__(self, name):
        raise AttributeError(
            "`current.trigger.run` has no `%s`: it has `data`, `finished`, `id`, "
            "`path_components`, `pathspec` and `successful`; what else Metaflow knows of a run, "
            "its client does, as in `Run(current.trigger.run.pathspec)`" % name
        )

    def __repr__(self):
        return "Run(%r)" % self.pathspec


class RunData:
    """The artifacts of a run's last task, each loaded when it is read."""

    def __init__(self, wire, number, pathspec):
        self._wire = wire
        self._number = number
        self._pathspec = pathspec
        self._known = None

    def _names(self):
        if self._known is None:
            answer = self._wire.ask({"op": "elsewhere", "trigger": self._number})
            self._known = {name for name in answer["objects"] if not name.startswith("_")}
        return self._known

    def __getattr__(self, name):
        # What the object itself lacks is asked for by copiers and picklers.
        if name.startswith("_") or name not in self._names():
            raise AttributeError("the run %s has no artifact `%s`" % (self._pathspec, name))
        answer = self._wire.ask({"op": "elsewhere", "trigger": self._number, "name": name})
        label = "`%s` of %s" % (name, self._pathspec)
        value = artifacts.load(answer, label, self._check)
        self.__dict__[name] = value
        return value

    def _check(self, number):
        self._wire.ask({"op": "check", "number": number})

    def __contains__(self, name):
        return name in self._names()

    def __dir__(self):
        return sorted(self._names())

    def __repr__(self):
        return "<artifacts of %s: %s>" % (self._pathspec, ", ".join(sorted(self._names())))


def _of_task(pathspec):
    return "/".join(pathspec.split("/")[:2])


def _event(each):
    from datetime import datetime

    time = each.get("timestamp")
    # As Metaflow, which leaves what is no whole number as it came.
    if time and isinstance(time, int):
        try:
            time = datetime.fromtimestamp(time)
        except (ValueError, OverflowError, OSError):
            # A number that somebody calls a time and that is none.
            pass
    return MetaflowEvent(each.get("name"), each.get("id"), time, each.get("type"))


class NamespacedEventName:
    """An event's name that is known once project and branch are; called, it says it.

    Metaflow gives a function here too, which its `ArgoEvent` calls.
    """

    def __init__(self, name):
        self.name = name

    def __call__(self, context=None):
        project, branch = current.get("project_name"), current.get("branch_name")
        inner = [project, branch] if project and branch else []
        return ".".join(["mfns"] + inner + [self.name])

    def __repr__(self):
        return "namespaced_event_name(%r)" % self.name


def namespaced_event_name(event_name):
    """The name of an event that each branch of each project has for itself."""
    if not isinstance(event_name, str):
        raise ValueError("event_name should be a string not %s" % type(event_name))
    return NamespacedEventName(event_name)
