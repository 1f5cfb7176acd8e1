"""Puts our names into `sys.modules` as `metaflow`, and Metaflow's own behind them.

A flow file that only asks for what we have never meets the real package, be it
installed or not. The first name that is not ours imports the real one: under
its own name, but with our exceptions, `current` and `ForeachFrame` already in
place, so that there is one of each; then our `FlowSpec`, `step` and decorators
are put over its own, in every module of it that holds them.
"""

import os
import sys
import types

import flowc

from . import exceptions, standins
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


_PACKAGE = os.path.dirname(os.path.abspath(__file__))

FOR_CHILDREN = [os.path.dirname(_PACKAGE), os.path.join(_PACKAGE, "names")]
"""Last on the path, for interpreters that user code starts (`multiprocessing`, loky).

They take over the path and import the flow file anew, which must find `flowc`
and, where the real package is not installed, `metaflow`.
"""

_kept = {}
"""Modules of ours that stay when the real package is loaded."""

_front = None
_real = None
_namespace = None
_loading = []


def install():
    """Makes `import metaflow` find us, whoever imports it; once is enough."""
    global _front
    if _front is not None:
        return
    early = sys.modules.get("metaflow")
    _front = _make_front()
    for name, module in (
        ("exception", _exception_module()),
        ("metaflow_current", _current_module()),
        ("tuple_util", _tuple_module()),
    ):
        module.__spec__ = standins.spec(module, False)
        setattr(_front, name, module)
        _kept[module.__name__] = module
    sys.meta_path.insert(0, _Finder)
    sys.path += FOR_CHILDREN
    if early is not None and not _is_ours(early):
        # It was imported when the interpreter started, before we could come first.
        _adopt(early, list(sys.modules.values()))
        return
    _stand_alone()


def _make_front():
    front = types.ModuleType("metaflow", flowc.__doc__)
    front.__path__ = []
    for name in flowc.__all__:
        setattr(front, name, getattr(flowc, name))
    front.__getattr__ = _foreign
    front.__spec__ = standins.spec(front, True)
    return front


def _is_ours(module):
    return (getattr(module, "__file__", None) or "").startswith(_PACKAGE + os.sep)


def _stand_alone():
    sys.modules["metaflow"] = _front
    sys.modules.update(_kept)


def _foreign(name):
    """A name of `metaflow` that is not among those that nearly every flow uses."""
    if name in flowc.LAZY:
        return getattr(flowc, name)
    if name == "__all__":
        return _all_names()
    if name == "__version__":
        return _version()
    if name.startswith("__"):
        raise AttributeError("module `metaflow` has no attribute `%s`" % name)
    if standins.has(name) and _real is None:
        from importlib import import_module

        return import_module("metaflow." + name)
    return getattr(_load(name), name)


def _all_names():
    """What `from metaflow import *` gives: all that the real package has, if it is installed."""
    ours = flowc.__all__ + list(flowc.LAZY)
    try:
        theirs = [name for name in vars(_load("*")) if name[0] != "_"]
    except ImportError:
        theirs = []
    return ours + [name for name in theirs if name not in ours]


def _version():
    from importlib import metadata

    try:
        return metadata.version("metaflow")
    except metadata.PackageNotFoundError:
        raise AttributeError("Metaflow is not installed for %s" % sys.executable) from None


def use_namespace(namespace):
    """The namespace of the real package's client, now or once it is loaded; an empty one is that of all."""
    global _namespace
    _namespace = namespace
    if _real is not None:
        _real.namespace(namespace)


class _Finder:
    """Finds `metaflow`, whoever removed it, and its modules: a stand-in of ours, or those of the real package."""

    @staticmethod
    def find_spec(fullname, _path=None, _target=None):
        if _loading or not (fullname == "metaflow" or fullname.startswith("metaflow.")):
            return None
        if fullname == "metaflow":
            return standins.spec(_real or _front, True)
        if fullname in _kept:
            return standins.spec(_kept[fullname], False)
        name = fullname[len("metaflow.") :]
        if _real is None:
            if standins.has(name):
                return standins.make(name, _load).__spec__
            _load(name)
        loaded = sys.modules.get(fullname)
        if loaded is not None:
            # Loading the package has imported it, and a second time would make two of it.
            return standins.spec(loaded, hasattr(loaded, "__path__"))
        from importlib import import_module
        from importlib.machinery import PathFinder

        # The parent may have been a stand-in when `import` took its path.
        return PathFinder.find_spec(fullname, import_module(fullname.rpartition(".")[0]).__path__)


def _load(wanted):
    """The real package."""
    if _real is not None:
        return _real
    if _loading:
        raise AttributeError(wanted)
    import importlib

    standing = {name: sys.modules.pop(name) for name in list(sys.modules) if _gives_way(name)}
    path = sys.path[:]
    # Not the stand-in that is on the path for children.
    sys.path[:] = [entry for entry in path if entry not in FOR_CHILDREN]
    _loading.append(wanted)
    try:
        real = importlib.import_module("metaflow")
    except ImportError as error:
        sys.modules.update(standing)
        if getattr(error, "name", None) != "metaflow":
            raise
        raise ImportError(
            "flowc has no `%s`, and the package `metaflow`, which may have it, is not installed "
            "for %s" % (wanted, sys.executable)
        ) from None
    except BaseException:
        sys.modules.update(standing)
        raise
    finally:
        _loading.clear()
        sys.path += [entry for entry in FOR_CHILDREN if entry in path]
    _adopt(real, [module for name, module in list(sys.modules.items()) if name.startswith("metaflow.")])
    return real


def _gives_way(name):
    """Whether the real package's module takes the place of ours."""
    return name == "metaflow" or name.startswith("metaflow.") and name not in _kept


def _adopt(real, holders):
    """Puts what is ours into the real package, and into the modules that hold something of it."""
    global _real
    _real = real
    swap = standins.pairs()
    for name, module in _kept.items():
        theirs = sys.modules.get(name)
        if theirs is not None and theirs is not module:
            for each, value in vars(module).items():
                old = vars(theirs).get(each)
                if each[0] != "_" and old is not None and old is not value:
                    swap[id(old)] = (old, value)
        sys.modules[name] = module
        setattr(real, name.partition(".")[2], module)
    standins.replace(swap, holders)
    for name in flowc.__all__ + list(flowc.LAZY):
        setattr(real, name, getattr(flowc, name))
    if _namespace is not None:
        real.namespace(_namespace)
