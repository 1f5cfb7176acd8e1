"""`FlowSpec`: artifacts as attributes, and what a step may call on itself."""

import os
import sys
from types import FunctionType, MethodType

from . import transitions
from .artifacts import ATOMS
from .exceptions import (
    MetaflowException,
    MissingInMergeArtifactsException,
    UnhandledInMergeArtifactsException,
)
from .parameters import Parameter

NEVER_MERGED = {
    "_foreach_values",
    "_unbounded_foreach",
    "_control_mapper_tasks",
    "_control_task_is_mapper_zero",
    "_parallel_ubf_iter",
}
"""Artifacts that `merge_artifacts` leaves out (metaflow/flowspec.py, `INTERNAL_ARTIFACTS_SET`, 2.19.39)."""

NO_PARAMETERS = {"cmd", "foreach_stack", "index", "input", "script_name", "name"}
"""Attributes of the class that are neither parameters nor constants."""

takeover = None
"""What runs the step when the flow file calls its flow; set by the harness."""


class FlowSpec:
    """Base class of every flow."""

    def __init__(self, use_cli=True):
        self._prepare(None)
        if use_cli and takeover is not None:
            takeover(self)

    def _prepare(self, store):
        self.name = type(self).__name__
        self._datastore = store
        self._transition = None
        self._cached_input = {}

    def __getattr__(self, name):
        # Reached only where neither the object nor its class has the name.
        if not name.startswith("__"):
            state = self.__dict__
            store = state.get("_datastore")
            if store is not None and name in store:
                value = store[name]
                state[name] = value
                store_loaded = state.get("_loaded")
                if store_loaded is not None:
                    store_loaded[name] = value
                return value
        raise AttributeError("Flow %s has no attribute '%s'" % (type(self).__name__, name))

    @property
    def script_name(self):
        """Name of the file that holds the flow."""
        module = sys.modules.get(type(self).__module__)
        return os.path.basename(getattr(module, "__file__", None) or sys.argv[0])

    @property
    def index(self):
        """Index of this task in the innermost foreach, or None."""
        stack = self._foreach_stack
        return stack[-1].index if stack else None

    @property
    def input(self):
        """The element that this task of the innermost foreach was started for, or None."""
        return self._find_input(None)

    def foreach_stack(self):
        """One tuple (index, number of splits, element) per open foreach, outermost first."""
        return [
            (frame.index, frame.num_splits, self._find_input(level))
            for level, frame in enumerate(self._foreach_stack)
        ]

    def _find_input(self, level):
        stack = self._foreach_stack
        if not stack:
            return None
        if level is None:
            level = len(stack) - 1
        if level not in self._cached_input:
            frame = stack[level]
            self._cached_input[level] = self._element(frame.var, frame.index)
        return self._cached_input[level]

    def _element(self, variable, index):
        held = variable in self.__dict__ or hasattr(type(self), variable)
        if not held and (self._datastore is None or variable not in self._datastore):
            # Past an inner join the variable of an outer foreach may be gone.
            return None
        values = getattr(self, variable)
        try:
            element = values[index]
        except TypeError:
            from itertools import islice

            element = next(islice(values, index, index + 1))
        if not held and type(element) in ATOMS:
            # An element that cannot change says nothing new about the list: let it go, so that
            # each task of a wide foreach need not store the whole list again.
            self.__dict__.pop(variable, None)
        return element

    def merge_artifacts(self, inputs, exclude=None, include=None):
        """Takes over the artifacts of a join's inputs that this step has not set itself.

        Two inputs conflict where their stored bytes differ, not where their values do.
        """
        include = include or []
        exclude = exclude or []
        if not transitions.is_join(self):
            raise MetaflowException(
                "merge_artifacts can only be called in a join and step *%s* is not a join"
                % self._current_step
            )
        if include and exclude:
            raise MetaflowException(
                "`exclude` and `include` are mutually exclusive in merge_artifacts"
            )
        found = {}
        conflicts = []
        for branch in inputs:
            for name, key in branch._datastore.items():
                if include:
                    if name not in include:
                        continue
                elif name in exclude or name in NEVER_MERGED:
                    continue
                if self._has(name):
                    continue
                _, first = found.setdefault(name, (branch, key))
                if first != key:
                    conflicts.append(name)
        missing = [name for name in include if name not in found and not self._has(name)]
        if conflicts:
            raise UnhandledInMergeArtifactsException(
                "Step *%s* cannot merge the following artifacts due to them having "
                "conflicting values:\n[%s].\nTo remedy this issue, be sure to explicitly set "
                "those artifacts (using self.<artifact_name> = ...) prior to calling "
                "merge_artifacts." % (self._current_step, ", ".join(conflicts)),
                conflicts,
            )
        if missing:
            raise MissingInMergeArtifactsException(
                "Step *%s* specifies that [%s] should be merged but [%s] are not present.\n"
                "To remedy this issue, make sure that the values specified in only come from "
                "at least one branch"
                % (self._current_step, ", ".join(include), ", ".join(missing)),
                missing,
            )
        for name, (branch, _) in found.items():
            self._datastore.inherit(branch._datastore.parent, [name])

    def _has(self, name):
        """As `hasattr`, but loads nothing."""
        return name in self.__dict__ or hasattr(type(self), name) or name in self._datastore

    def next(self, *targets, **options):
        """Says which step follows; the last statement of every step but the end."""
        transitions.follow(self, targets, options)

    def __str__(self):
        step = self.__dict__.get("_current_step")
        if not step:
            return "<flow %s>" % self.name
        index = ",".join(str(frame.index) for frame in self._foreach_stack)
        if not index:
            return "<flow %s step %s>" % (self.name, step)
        element = self.input
        if element is None:
            return "<flow %s step %s[%s]>" % (self.name, step, index)
        element = str(element)
        if len(element) > 20:
            element = element[:20] + "..."
        return "<flow %s step %s[%s] (input: %s)>" % (self.name, step, index, element)

    def __getstate__(self):
        raise MetaflowException(
            "a flow cannot be stored; was `self` or one of the `inputs` assigned to an attribute? "
            "Store the attributes that are needed, such as `inputs[0].some_var`"
        )


EPHEMERAL = {
    "_abc_impl",
    "_all_marks",
    "_all_mutators",
    "_cached_input",
    "_chosen",
    "_config_values",
    "_datastore",
    "_flow_marks",
    "_flow_mutators",
    "_gang_size",
    "_loaded",
    "index",
    "input",
}
"""Attributes of a flow object that are not artifacts."""


def declared_parameters(flow_class):
    """Pairs of attribute and `Parameter`, in the order of `dir`."""
    return [
        (name, value)
        for name, value in _public_attributes(flow_class)
        if isinstance(value, Parameter)
    ]


def declared_constants(flow_class):
    """Pairs of name and value of the class attributes that are not parameters, methods or classes."""
    return [
        (name, value)
        for name, value in _public_attributes(flow_class)
        if not isinstance(value, (Parameter, MethodType, FunctionType, property, type))
    ]


def _public_attributes(flow_class):
    for name in dir(flow_class):
        if name[0] == "_" or name in NO_PARAMETERS:
            continue
        try:
            yield name, getattr(flow_class, name)
        except AttributeError:
            continue


def _refuse_assignment(_flow, _value):
    raise AttributeError("Flow level attributes and Parameters are not modifiable")


def has_gangs(flow_class):
    """Whether a step of the flow runs as a gang."""
    steps = (getattr(flow_class, name, None) for name in dir(flow_class))
    marks = (mark for step in steps for mark in getattr(step, "decorators", None) or ())
    return any(getattr(mark, "name", None) == "parallel" for mark in marks)


def make_read_only(flow_class, name, load):
    """Makes an attribute of the class a property that loads its value when it is first read."""
    loaded = []

    def read(_flow):
        if not loaded:
            loaded.append(load())
        return loaded[0]

    setattr(flow_class, name, property(read, _refuse_assignment))


def own_artifacts(flow):
    """Names of what a flow object holds itself: set in this task, or loaded by it."""
    flow_class = type(flow)
    names = []
    for name in dir(flow):
        if name.startswith("__") or name in EPHEMERAL:
            continue
        if isinstance(getattr(flow_class, name, None), property):
            continue
        try:
            value = getattr(flow, name)
        except AttributeError:
            continue
        if not isinstance(value, (MethodType, FunctionType, Parameter)):
            names.append(name)
    return names
