"""What `_graph_info` says of decorators that only Python knows."""

from .mutators import steps_of


def tell(graph_info, flow_class):
    """Adds the user's own decorators, and who inserted Metaflow's."""
    decorators = [dict(entry) for entry in graph_info.get("decorators") or ()]
    _mark(decorators, flow_class._all_marks)
    decorators += [
        {
            "name": type(mutator).__name__,
            "attributes": {},
            "statically_defined": mutator.statically_defined,
            "inserted_by": mutator.inserted_by,
        }
        for mutator in flow_class._all_mutators
    ]
    graph_info["decorators"] = decorators
    steps = graph_info["steps"] = dict(graph_info.get("steps") or {})
    for name, function in steps_of(flow_class).items():
        if name not in steps:
            continue
        decorators = [dict(entry) for entry in steps[name].get("decorators") or ()]
        _mark(decorators, function.decorators)
        decorators += [
            {
                "name": one.decorator_name,
                "attributes": _pod({"_args": one._args, **one._kwargs}),
                "statically_defined": one.statically_defined,
                "inserted_by": one.inserted_by,
            }
            for one in function.wrappers + function.config_decorators
        ]
        steps[name] = dict(steps[name], decorators=decorators)


def _mark(decorators, marks):
    """Both lists are in the order in which Python applied the decorators."""
    for entry, mark in zip(decorators, marks):
        entry["statically_defined"] = mark.statically_defined
        entry["inserted_by"] = mark.inserted_by


def _pod(value):
    """As Metaflow's `to_pod`: what JSON has no type for becomes text."""
    if isinstance(value, dict):
        return {_pod(key): _pod(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_pod(item) for item in value]
    return value if isinstance(value, (str, int, float)) else str(value)
