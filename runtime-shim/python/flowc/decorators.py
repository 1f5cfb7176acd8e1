"""Decorators as marks: the compiler has read and checked them, and the shim acts on them.

The marks stay on what they decorate, for mutators to look at and for `describe`.
"""


class Mark:
    """A decorator of Metaflow's on a step or a flow, as it was written."""

    __slots__ = ("attributes", "inserted_by", "name", "statically_defined")

    def __init__(self, name, attributes, statically_defined=True, inserted_by=None):
        self.name = name
        self.attributes = attributes
        self.statically_defined = statically_defined
        self.inserted_by = inserted_by

    def get_args_kwargs(self):
        """Positional and named arguments, as mutators see them."""
        return [], dict(self.attributes)


def step(function=None, **_options):
    """Marks a step, as `@step` or `@step(start=True)`."""

    def mark(function):
        function.is_step = True
        function.name = function.__name__
        function.decorators = []
        function.wrappers = []
        function.config_decorators = []
        return function

    return mark if function is None else mark(function)


def decorated(target):
    """The step or class behind what a decorator is given: a user's decorator without brackets is an object."""
    for inner in ("_my_step", "_flow_cls"):
        if inner in getattr(target, "__dict__", ()) and not isinstance(target, type):
            return target.__dict__[inner]
    return target


def _put(name, target, attributes):
    inner = decorated(target)
    mark = Mark(name, attributes)
    if isinstance(inner, type):
        # Not a list that a base class has.
        if "_flow_marks" not in inner.__dict__:
            inner._flow_marks = []
        inner._flow_marks.append(mark)
    elif hasattr(inner, "is_step"):
        inner.decorators.append(mark)
    return inner


def _marker(name):
    def marker(target=None, *_arguments, **attributes):
        """Leaves what it decorates as it is."""
        if callable(target):
            return _put(name, target, {})
        return lambda target: _put(name, target, attributes)

    marker.__name__ = marker.__qualname__ = marker.mark = name
    return marker


retry = _marker("retry")
timeout = _marker("timeout")
catch = _marker("catch")
environment = _marker("environment")
secrets = _marker("secrets")
resources = _marker("resources")
batch = _marker("batch")
kubernetes = _marker("kubernetes")
parallel = _marker("parallel")
schedule = _marker("schedule")
exit_hook = _marker("exit_hook")
trigger = _marker("trigger")
trigger_on_finish = _marker("trigger_on_finish")
project = _marker("project")

# Accepted, and nothing is done about them yet: the compiler has said so.
card = _marker("card")
conda = _marker("conda")
conda_base = _marker("conda_base")
pypi = _marker("pypi")
pypi_base = _marker("pypi_base")
