"""Puts our names into `sys.modules` as `metaflow`, and Metaflow's own behind them.

A flow file that only asks for what we have never meets the real package, be it
installed or not. The first name that is not ours imports the real one: under
its own name, but with our exceptions, `current` and `ForeachFrame` already in
place, so that there is one of each; then our `FlowSpec`, `step` and decorators
are put over its own.
"""

import os
import sys
import types

import flowc

from . import exceptions
from .current import Current, Parallel, current
from .foreach import ForeachFrame


def _exception_module():
    module = types.ModuleType(exceptions.MODULE)
    module.__dict__.update(exceptions.PUBLIC)
    return module


def _current_module():
    module = types.ModuleType("metaflow.metaflow_current")
    module.current = current
    module.Current = Current
    module.Parallel = Parallel
    return module


def _tuple_module():
    module = types.ModuleType("metaflow.tuple_util")
    module.ForeachFrame = ForeachFrame
    module.foreach_frame_field_list = [
        ("step", str),
        ("var", str),
        ("num_splits", int),
        ("index", int),
        ("value", str),
    ]

    def namedtuple_with_defaults(typename, field_descr, defaults=()):
        import collections

        made = collections.namedtuple(typename, [name for name, _ in field_descr])
        made.__new__.__defaults__ = tuple(defaults)
        made.__module__ = "__main__"
        setattr(sys.modules["__main__"], typename, made)
        return made

    module.namedtuple_with_defaults = namedtuple_with_defaults
    return module


def _events_module():
    module = types.ModuleType(EVENTS)

    def of_events(name):
        from . import events

        if name != "MetaflowEvent":
            raise AttributeError("module `%s` has no attribute `%s`" % (EVENTS, name))
        return events.MetaflowEvent

    module.__getattr__ = of_events
    return module


EVENTS = "metaflow.events"
"""The module that pickles of events name. The real one has more, and takes the place of ours."""

_PACKAGE = os.path.dirname(os.path.abspath(__file__))

FOR_CHILDREN = [os.path.dirname(_PACKAGE), os.path.join(_PACKAGE, "names")]
"""Last on the path, for interpreters that user code starts (`multiprocessing`, loky).

They take over the path and import the flow file anew, which must find `flowc`
and, where the real package is not installed, `metaflow`.
"""

_ours = {}
_real = None
_namespace = None


def install():
    """Makes `import metaflow` find us."""
    front = types.ModuleType("metaflow", flowc.__doc__)
    front.__path__ = []
    front.__all__ = flowc.__all__
    for name in flowc.__all__:
        setattr(front, name, getattr(flowc, name))
    front.exception = _exception_module()
    front.metaflow_current = _current_module()
    front.tuple_util = _tuple_module()
    front.events = _events_module()
    front.__getattr__ = _foreign
    _ours.update(
        {
            "metaflow": front,
            "metaflow.exception": front.exception,
            "metaflow.metaflow_current": front.metaflow_current,
            "metaflow.tuple_util": front.tuple_util,
            EVENTS: front.events,
        }
    )
    sys.modules.update(_ours)
    sys.meta_path.insert(0, _Submodules)
    sys.path += FOR_CHILDREN


def _foreign(name):
    """A name of `metaflow` that is not ours."""
    if name.startswith("__"):
        raise AttributeError(name)
    if name in flowc.LAZY:
        return getattr(flowc, name)
    return getattr(_load(name), name)


def use_namespace(namespace):
    """The namespace of the real package's client, now or once it is loaded; an empty one is that of all."""
    global _namespace
    _namespace = namespace
    if _real is not None:
        _real.namespace(namespace)


def install_configs(module):
    """Makes pickles of `ConfigValue` find the one class that there is."""
    if _real is None:
        for name in ("metaflow.user_configs", module.MODULE):
            _ours[name] = sys.modules[name] = types.ModuleType(name)
        sys.modules["metaflow.user_configs"].__path__ = []
    _share_configs(module)


def _share_configs(module):
    theirs = sys.modules[module.MODULE]
    for name in ("ConfigValue", "Config", "config_expr", "DelayEvaluator"):
        setattr(theirs, name, getattr(module, name))


class _Submodules:
    """Loads the real package when one of its modules is imported by name."""

    @staticmethod
    def find_spec(fullname, _path=None, _target=None):
        if not fullname.startswith("metaflow.") or _real is not None or _loading:
            return None
        real = _load(fullname[len("metaflow.") :])
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(fullname, real.__path__)


def _is_replaced(name):
    """Whether the real package's module takes the place of ours."""
    return name in ("metaflow", EVENTS) or name.startswith("metaflow.user_configs")


_loading = []


def _load(wanted):
    global _real
    if _real is not None:
        return _real
    if _loading:
        raise AttributeError(wanted)
    import importlib

    for name in _ours:
        if _is_replaced(name):
            del sys.modules[name]
    path = sys.path[:]
    # Not the stand-in that is on the path for children.
    sys.path[:] = [entry for entry in path if entry not in FOR_CHILDREN]
    _loading.append(wanted)
    try:
        real = importlib.import_module("metaflow")
    except ImportError as error:
        sys.modules.update(_ours)
        if getattr(error, "name", None) != "metaflow":
            raise
        raise ImportError(
            "flowc has no `%s`, and the package `metaflow`, which may have it, is not installed "
            "for %s" % (wanted, sys.executable)
        ) from None
    except BaseException:
        sys.modules.update(_ours)
        raise
    finally:
        _loading.clear()
        sys.path += [entry for entry in FOR_CHILDREN if entry in path]
    for name in flowc.__all__:
        setattr(real, name, getattr(flowc, name))
    for name in flowc.LAZY:
        setattr(real, name, getattr(flowc, name))
    for name, module in _ours.items():
        if not _is_replaced(name):
            sys.modules[name] = module
            setattr(real, name.partition(".")[2], module)
    _real = real
    importlib.import_module("metaflow.user_configs.config_parameters")
    _share_configs(importlib.import_module("flowc.configs"))
    # So that an event that was made before is of the class that its pickle names.
    theirs = importlib.import_module(EVENTS)
    theirs.MetaflowEvent = importlib.import_module("flowc.events").MetaflowEvent
    if _namespace is not None:
        real.namespace(_namespace)
    return real
