"""What a task sees of the tasks before it, and which of it goes on by reference."""

from . import artifacts
from .foreach import FrameClassInMain


class Input:
    """One parent task: its artifacts, loaded when they are read."""

    def __init__(self, wire, number, fields):
        self._wire = wire
        self.number = number
        self.step = fields.get("step")
        self.pathspec = fields.get("pathspec") or "%s/%s" % (self.step, fields.get("task_id"))
        self._objects = fields.get("objects")

    @property
    def objects(self):
        """Name to `{key, size, type, encoding}`."""
        if self._objects is None:
            self._objects = self._wire.ask({"op": "objects", "input": self.number})["objects"]
        return self._objects

    def is_none(self, name):
        """Whether an artifact is None or absent, without loading it."""
        entry = self.objects.get(name)
        return entry is None or entry.get("type") == str(type(None))

    def load(self, name):
        """Loads an artifact anew."""
        answer = self._wire.ask({"op": "load", "input": self.number, "name": name})
        label = "`%s` of %s" % (name, self.pathspec)
        if name == "_foreach_stack":
            with FrameClassInMain():
                return artifacts.load(answer, label, self._check)
        return artifacts.load(answer, label, self._check)

    def _check(self, number):
        self._wire.ask({"op": "check", "number": number})


class Store:
    """Artifacts that a flow object can read.

    `references`: name to the input and the name it has there.
    `computed`: name to a function, for what only some tasks ask for; goes before `references`.
    """

    def __init__(self):
        self.references = {}
        self.computed = {}

    def inherit(self, parent, names=None):
        """Hands on the artifacts of a parent, or those of them that are named."""
        objects = parent.objects
        for name in objects if names is None else names:
            if name in objects:
                self.references[name] = (parent, name)

    def __contains__(self, name):
        return name in self.computed or name in self.references

    def __getitem__(self, name):
        if name in self.computed:
            return self.computed[name]()
        parent, there = self.references[name]
        return parent.load(there)

    def __iter__(self):
        return iter(self.references)

    def items(self):
        """Pairs of name and content key, as Metaflow's datastore has them."""
        for name, (parent, there) in self.references.items():
            yield name, parent.objects[there]["key"]


class InputStore:
    """What one element of a join's `inputs` can read; asks for nothing before it is used."""

    def __init__(self, parent):
        self.parent = parent

    def __contains__(self, name):
        return name in self.parent.objects

    def __getitem__(self, name):
        return self.parent.load(name)

    def __iter__(self):
        return iter(self.parent.objects)

    def items(self):
        """Pairs of name and content key."""
        for name, entry in self.parent.objects.items():
            yield name, entry["key"]


class Inputs:
    """The second argument of a join: `inputs.branch`, `inputs[0]`, iteration, length."""

    def __init__(self, flows):
        self.flows = [flow for _, flow in flows]
        for step, flow in flows:
            setattr(self, step, flow)

    def __getitem__(self, index):
        return self.flows[index]

    def __iter__(self):
        return iter(self.flows)

    def __len__(self):
        return len(self.flows)
