"""Decorators as markers: the compiler has read and checked them, and the shim acts on them."""


def step(function=None, **_options):
    """Marks a step, as `@step` or `@step(start=True)`."""

    def mark(function):
        function.is_step = True
        function.name = function.__name__
        return function

    return mark if function is None else mark(function)


def _marker(name):
    def marker(target=None, *_arguments, **_options):
        """Leaves what it decorates as it is."""
        if callable(target):
            return target
        return lambda target: target

    marker.__name__ = marker.__qualname__ = name
    return marker


retry = _marker("retry")
timeout = _marker("timeout")
catch = _marker("catch")
environment = _marker("environment")
resources = _marker("resources")
batch = _marker("batch")
kubernetes = _marker("kubernetes")
schedule = _marker("schedule")
project = _marker("project")
