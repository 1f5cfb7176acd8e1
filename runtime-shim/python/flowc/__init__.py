"""What a flow file imports, under the names `flowc` and `metaflow`."""

from .current import current
from .decorators import (
    batch,
    card,
    catch,
    conda,
    conda_base,
    environment,
    exit_hook,
    kubernetes,
    parallel,
    project,
    pypi,
    pypi_base,
    resources,
    retry,
    schedule,
    secrets,
    step,
    timeout,
    trigger,
    trigger_on_finish,
)
from .flowspec import FlowSpec
from .parameters import JSONType, Parameter

LAZY = {
    "Config": "configs",
    "ConfigValue": "configs",
    "config_expr": "configs",
    "FlowMutator": "mutators",
    "IncludeFile": "includefile",
    "MutableFlow": "mutators",
    "MutableStep": "mutators",
    "StepMutator": "mutators",
    "USER_SKIP_STEP": "user_steps",
    "UserStepDecorator": "user_steps",
    "namespaced_event_name": "events",
    "user_step_decorator": "user_steps",
}
"""Names that few flows use, and the module that has each: it is imported when it is asked for."""


def __getattr__(name):
    if name not in LAZY:
        raise AttributeError("module `flowc` has no attribute `%s`" % name)
    from importlib import import_module

    return getattr(import_module("flowc." + LAZY[name]), name)


__all__ = [
    "FlowSpec",
    "JSONType",
    "Parameter",
    "batch",
    "card",
    "catch",
    "conda",
    "conda_base",
    "current",
    "environment",
    "exit_hook",
    "kubernetes",
    "parallel",
    "project",
    "pypi",
    "pypi_base",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
]
