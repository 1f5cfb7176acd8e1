"""Says of each flow file whether Metaflow's own checks accept its graph.

Usage: lint.py FILE...
Prints a line per file: `ok`, or `refused` and why.
"""

import importlib.util
import os
import sys

os.environ.setdefault("METAFLOW_USER", "tester")

from metaflow import FlowSpec  # noqa: E402
from metaflow.graph import FlowGraph  # noqa: E402
from metaflow.lint import linter  # noqa: E402


def flow_of(path, number):
    spec = importlib.util.spec_from_file_location("flow_%d" % number, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, FlowSpec) and value is not FlowSpec:
            return value
    raise LookupError("no flow in %s" % path)


def verdict(path, number):
    flow = flow_of(path, number)
    try:
        linter.run_checks(FlowGraph(flow))
    except Exception as error:  # Some mistakes make the checks themselves fail.
        return "refused " + " ".join(str(error).split())
    return "ok"


for number, path in enumerate(sys.argv[1:]):
    print(verdict(path, number))
