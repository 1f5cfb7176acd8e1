"""A function of the flow's that is called once a run is over, as `@exit_hook` asks for."""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback

from . import debugger, lifeline, modules


def main():
    """Calls the function that standard input names; exits with 1 if there is none or it fails."""
    asked = lifeline.request()
    modules.install()
    sys.argv[:] = [asked["file"]]
    sys.path.insert(0, os.path.dirname(asked["file"]))
    try:
        _call(_find(asked["file"], asked["function"]), asked["run"])
    except Exception as error:
        error = debugger.explained(error)
        tail = error.__traceback__
        while tail is not None and _is_ours(tail.tb_frame.f_code.co_filename):
            tail = tail.tb_next
        traceback.print_exception(type(error), error, tail)
        sys.exit(1)


def _is_ours(file):
    here = os.path.dirname(os.path.abspath(__file__))
    return file.startswith((here + os.sep, "<frozen importlib"))


def _find(file, name):
    """As in Metaflow, `module.function` first, then a function of the flow's file."""
    module, _, function = name.rpartition(".")
    if module:
        try:
            return getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError):
            pass
    found = _load(file)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise LookupError("there is no function `%s` in %s" % (name, os.path.basename(file)))
    return found


def _load(file):
    name = os.path.splitext(os.path.basename(file))[0]
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _call(function, run):
    takes = inspect.getfullargspec(function)
    if "run" in takes.args + takes.kwonlyargs or takes.varkw is not None:
        function(run=_run(run))
    else:
        function()


def _run(pathspec):
    """Metaflow's own `Run`; `None` where its package is not installed or does not find the run."""
    try:
        from metaflow import Run

        return Run(pathspec, _namespace_check=False)
    except Exception as error:
        sys.stderr.write("no `run` for the exit hook: %s\n" % error)
        return None
