"""What a flow file imports, under the names `flowc` and `metaflow`."""

from .current import current
from .decorators import (
    batch,
    catch,
    environment,
    kubernetes,
    project,
    resources,
    retry,
    schedule,
    step,
    timeout,
)
from .flowspec import FlowSpec
from .parameters import JSONType, Parameter

__all__ = [
    "FlowSpec",
    "JSONType",
    "Parameter",
    "batch",
    "catch",
    "current",
    "environment",
    "kubernetes",
    "project",
    "resources",
    "retry",
    "schedule",
    "step",
    "timeout",
]
