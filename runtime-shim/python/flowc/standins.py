"""Modules of Metaflow as far as they hold names that are ours.

`from metaflow.decorators import step` finds one of these, which gives our
`step` and does not load the real package. A name that is not ours loads it, and
then comes from the real module.
"""

import types
from importlib.machinery import ModuleSpec

NAMES = {
    "decorators": {"step": "decorators"},
    "events": {"MetaflowEvent": "events"},
    "flowspec": {"FlowSpec": "flowspec", "InvalidNextException": "exceptions", "ParallelUBF": "gang"},
    "includefile": {"IncludeFile": "includefile"},
    "parameters": {"JSONType": "parameters", "JSONTypeClass": "parameters", "Parameter": "parameters"},
    "plugins.catch_decorator": {"FailureHandledByCatch": "exceptions"},
    "plugins.timeout_decorator": {"TimeoutException": "exceptions"},
    "user_configs.config_parameters": {
        "Config": "configs",
        "ConfigValue": "configs",
        "DelayEvaluator": "configs",
        "config_expr": "configs",
    },
    "user_decorators.mutable_flow": {"MutableFlow": "mutators"},
    "user_decorators.mutable_step": {"MutableStep": "mutators"},
    "user_decorators.user_flow_decorator": {"FlowMutator": "mutators"},
    "user_decorators.user_step_decorator": {
        "StepMutator": "mutators",
        "USER_SKIP_STEP": "user_steps",
        "UserStepDecorator": "user_steps",
        "UserStepDecoratorBase": "user_steps",
        "user_step_decorator": "user_steps",
    },
}
"""Where Metaflow 2.19.39 has a name, and the module of ours that has it."""

PACKAGES = {name.partition(".")[0] for name in NAMES if "." in name}


def has(name):
    """Whether a module of Metaflow, without `metaflow.`, has a stand-in."""
    return name in NAMES or name in PACKAGES


def ours(module, name):
    """What we have under a name of a module of Metaflow."""
    from importlib import import_module

    return getattr(import_module("flowc." + NAMES[module][name]), name)


class Handed:
    """Loads a module that is there already."""

    def __init__(self, module):
        self._module = module
        self._spec = getattr(module, "__spec__", None)

    def create_module(self, _spec):
        """The module itself."""
        return self._module

    def exec_module(self, module):
        """Keeps what the module says of its own origin: `import` has just replaced that."""
        if self._spec is not None:
            module.__spec__ = self._spec


def spec(module, is_package):
    """The spec by which `import` takes over a module that is there already."""
    return ModuleSpec(module.__name__, Handed(module), is_package=is_package)


def make(name, real):
    """The stand-in for `metaflow.<name>`; `real(wanted)` loads the real package."""
    module = types.ModuleType("metaflow." + name)
    if name in PACKAGES:
        module.__path__ = []

    def missing(wanted):
        if wanted in NAMES.get(name, ()):
            value = ours(name, wanted)
            setattr(module, wanted, value)
            return value
        if wanted.startswith("__"):
            raise AttributeError("module `%s` has no attribute `%s`" % (module.__name__, wanted))
        from importlib import import_module

        real("%s.%s" % (name, wanted))
        return getattr(import_module(module.__name__), wanted)

    module.__getattr__ = missing
    module.__spec__ = spec(module, name in PACKAGES)
    return module


def pairs():
    """What of the real package is ours from now on: pairs of theirs and ours, by the identity of theirs.

    What the real modules lack is put into them.
    """
    from importlib import import_module

    swap = {}
    for name, names in NAMES.items():
        try:
            module = import_module("metaflow." + name)
        except ImportError:
            continue  # an older Metaflow
        for each in names:
            theirs = vars(module).get(each)
            if theirs is None:
                setattr(module, each, ours(name, each))
            else:
                swap[id(theirs)] = (theirs, ours(name, each))
    return swap


def replace(swap, modules):
    """Puts what is ours wherever the modules hold a thing that it takes the place of."""
    for module in modules:
        if not isinstance(module, types.ModuleType):
            continue
        for name, value in list(vars(module).items()):
            pair = swap.get(id(value))
            if pair is not None:
                setattr(module, name, pair[1])
