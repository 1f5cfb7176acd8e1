"""What Python makes of a flow file: decorators, parameters and configurations, evaluated.

The compiler asks where it cannot tell by reading: the file is executed up to
the call of its flow, and one JSON text is the answer.
"""

import inspect
import json
import os
import sys
import time

from . import carried, debugger, flowspec, lifeline, modules
from .decorators import decorated
from .events import NamespacedEventName
from .exceptions import MetaflowException, TaskOver
from .parameters import JSONTypeClass

VERSION = 2
"""Of the answer."""

TICK_S = 0.02
"""How often the memory of an execution is looked at."""


def main():
    """Answers the question on standard input; does not return."""
    question, asker = lifeline.hear()
    executions = Executions(question, lifeline.Guard(asker))
    try:
        ended, text, log = executions.execute({}, None)
        answer = ""
        if text is not None:
            answer = text
            if question.get("surroundings"):
                ended["variables"] = executions.variables(text, log)
    finally:
        executions.close()
    with open(1, "w", encoding="ascii") as file:
        file.write(json.dumps(ended) + "\n" + answer)
    os._exit(0)


class Executions:
    """Executes the file in forks of this process, which never does so itself."""

    def __init__(self, question, guard):
        self._question = question
        self._guard = guard
        self._limits = question.get("limits") or {}
        self._probes = None

    def execute(self, changes, traced):
        """How it ended, the answer and what it read of the environment; the answer is None if there is none."""
        out, into = os.pipe()
        if not self._guard.fork():
            os.close(out)
            try:
                _run(self._question, changes, traced, into)
            finally:
                os._exit(lifeline.EXIT_LOST)
        os.close(into)
        said = bytearray()
        try:
            limit = self._hear(out, said)
        finally:
            os.close(out)
            self._guard.end()
        if limit is not None:
            return {"limit": limit}, None, None
        size, _, content = bytes(said).partition(b"\n")
        if not size or len(content) != int(size):
            return {"status": _shown(self._guard.ended)}, None, None
        log, _, answer = content.decode("ascii").partition("\n")
        return {}, answer, json.loads(log)

    def _hear(self, out, said):
        """Collects what the fork says; the limit that it crossed, if any."""
        until = time.monotonic() + self._limits.get("timeout_s", float("inf"))
        answer_max = self._limits.get("answer_bytes", float("inf"))
        memory_max = self._limits.get("memory_bytes", float("inf"))
        whole = None
        while whole is None or len(said) < whole:
            left = until - time.monotonic()
            if left <= 0:
                return "timeout"
            # What was written before an end is read after it.
            was_over = self._guard.ended is not None
            readable = self._guard.wait(0 if was_over else min(left, TICK_S), out)
            if readable:
                part = os.read(out, 1 << 16)
                if not part:
                    break
                said += part
                if whole is None and b"\n" in said:
                    start = said.index(b"\n") + 1
                    whole = start + int(said[:start])
                if max(len(said), whole or 0) > answer_max:
                    return "answer"
            elif (self._guard.resident_bytes() or 0) > memory_max:
                return "memory"
            elif was_over:
                break
        return None

    def variables(self, text, log):
        """The variables of the environment that the answer comes from."""
        from .probes import TEXT, Execution, Prober

        def execute(changes, traced):
            ended, answer, seen = self.execute(
                {name: self._place() if value is TEXT else value for name, value in changes.items()},
                traced,
            )
            if answer is None:
                return Execution({"error": ended})
            return Execution(_steady(answer), seen)

        given = self._question["surroundings"]
        base = Execution(_steady(text), log)
        return Prober(execute, base, dict(os.environ), given.get("pinned") or ()).variables()

    def _place(self):
        """A value for variables: a folder, so that a file which takes it for one has somewhere to write."""
        if self._probes is None:
            import tempfile

            self._probes = tempfile.mkdtemp(prefix="flowc-probe-")
        return self._probes

    def close(self):
        """Removes what was made for the executions."""
        if self._probes is not None:
            import shutil

            shutil.rmtree(self._probes, ignore_errors=True)


def _run(question, changes, traced, into):
    """One execution, in a fork: says the answer and what was read of the environment."""
    # What the user's module prints is no part of the answer.
    os.dup2(2, 1)
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    log = None
    if question.get("surroundings"):
        from . import surroundings

        log = surroundings.watch(question["root"], traced)
    try:
        answer = Describer(question).describe()
    except BaseException as error:
        answer = {"error": _said(debugger.explained(error), question["root"])}
    text = json.dumps(dict(answer, version=VERSION), allow_nan=False)
    if "\\ud" in text:
        # Half a surrogate pair, which the other side would not read, can only be in what people read.
        whole = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
        text = json.dumps(json.loads(whole.decode("utf-8")))
    read = json.dumps(log and log.told())
    with open(into, "w", encoding="ascii") as file:
        file.write("%d\n%s\n%s" % (len(read) + 1 + len(text), read, text))
    os._exit(0)


def _steady(text):
    """An answer without what differs from one execution to the next: addresses in a message."""
    answer = json.loads(text)
    error = answer.get("error")
    if error:
        import re

        error["said"] = re.sub(" at 0x[0-9a-fA-F]+", "", error["said"])
    return answer


def _shown(status):
    if status is None:
        return "it said nothing"
    if os.WIFSIGNALED(status):
        return "signal: %d" % os.WTERMSIG(status)
    return "exit status: %d" % os.WEXITSTATUS(status)


class Describer:
    """One execution of a flow file."""

    def __init__(self, question):
        self.root = question["root"]
        self.file = os.path.join(self.root, question["file"])
        self.name = question["flow"]
        # Whose class was named beside the file wants that one, and nobody else's.
        self.named = bool(question.get("named"))
        self.given = _given(question)
        self.attached = question.get("attached") or ()
        self.met = None

    def describe(self):
        """The answer."""
        modules.install()
        flowspec.takeover = self._take_over
        module = type(sys)("__main__")
        module.__dict__.update(__file__=self.file, __builtins__=__builtins__, __spec__=None)
        sys.modules["__main__"] = module
        sys.argv[:] = [self.file]
        sys.path.insert(0, self.root)
        with open(self.file, "rb") as source:
            text = source.read()
        try:
            exec(compile(text, self.file, "exec", dont_inherit=True), module.__dict__)
        except TaskOver:
            pass
        flow_class = self.met or module.__dict__.get(self.name)
        if flow_class is None and self.name is None:
            raise MetaflowException("the file calls no flow when it is run")
        name = getattr(getattr(flow_class, "_flow_cls", flow_class), "__name__", None)
        if self.met is None and name not in (None, self.name):
            # A task would not find it.
            raise MetaflowException(
                "`%s` is the class `%s` when the file is run, which nothing calls" % (self.name, name)
            )
        flow_class = getattr(flow_class, "_flow_cls", flow_class)
        if not (isinstance(flow_class, type) and issubclass(flow_class, flowspec.FlowSpec)):
            raise MetaflowException("the file defines no flow `%s` when it is run" % self.name)
        return self._of(flow_class)

    def _take_over(self, flow):
        if not self.named or type(flow).__name__ == self.name:
            self.met = type(flow)
            raise TaskOver

    def _of(self, flow_class):
        from . import mutators

        declared = flowspec.declared_parameters(flow_class)
        configs = [each for _, each in declared if each.IS_CONFIG_PARAMETER]
        unknown = sorted(set(self.given) - {each.name for each in configs})
        if unknown:
            raise MetaflowException("the flow has no configuration `%s`" % "`, `".join(unknown))
        values = {
            each.name: each.read(self.given.get(each.name), self.root, self.name)
            for each in configs
        }
        written = {
            each.name: dict(carried.write(each.name, values[each.name]), attribute=attribute)
            for attribute, each in declared
            if each.IS_CONFIG_PARAMETER
        }
        mutators.prepare(flow_class, values, self.attached)
        steps = mutators.steps_of(flow_class)
        return {
            "flow": flow_class.__name__,
            "configs": written,
            "decorators": [_mark(mark) for mark in reversed(flow_class._all_marks)],
            "steps": {
                name: [_mark(mark) for mark in reversed(function.decorators)]
                for name, function in steps.items()
            },
            "parameters": [
                _parameter(name, parameter, self.root)
                for name, parameter in flowspec.declared_parameters(flow_class)
                if not parameter.IS_CONFIG_PARAMETER
            ],
            "classes": [self._class(kind) for kind in self._classes(flow_class)],
            "places": self._places(steps),
            "sources": self._sources(flow_class),
        }

    def _classes(self, flow_class):
        return [kind for kind in flow_class.__mro__ if not _is_known(kind.__module__)]

    def _class(self, kind):
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        codes = [_code(value) for value in list(vars(kind).values())]
        lines = [code.co_firstlineno for code in codes if code and code.co_filename == file]
        return {
            "name": kind.__qualname__,
            "file": self._path(kind.__module__),
            "line": vars(kind).get("__firstlineno__") or min(lines, default=None),
        }

    def _places(self, steps):
        found = {}
        for name, function in steps.items():
            code = _code(function)
            module = getattr(inspect.unwrap(decorated(function)), "__module__", None)
            if code is not None and module is not None:
                found[name] = {"file": self._path(module), "line": code.co_firstlineno}
        return found

    def _path(self, name):
        """Path of a module below the folder from which it is imported."""
        if name == "__main__":
            return os.path.relpath(self.file, self.root).replace(os.sep, "/")
        file = getattr(sys.modules.get(name), "__file__", None) or ""
        inner = "/__init__.py" if os.path.basename(file) == "__init__.py" else ".py"
        return name.replace(".", "/") + inner

    def _sources(self, flow_class):
        """Text of the modules that the flow has classes from, but for those that lie in the tree by their name."""
        found = {}
        for kind in self._classes(flow_class):
            name = kind.__module__
            file = getattr(sys.modules.get(name), "__file__", None) or ""
            if name == "__main__" or not file.endswith(".py"):
                continue
            path = self._path(name)
            # Below the root it may be found by a path of the user's (PYTHONPATH), which the compiler does not know.
            if os.path.realpath(file) != os.path.realpath(os.path.join(self.root, path)):
                with open(file, encoding="utf-8") as source:
                    found[path] = source.read()
        return found


def _is_known(module):
    """Whether a module's classes bring neither steps nor parameters."""
    return module.split(".")[0] in ("flowc", "metaflow", "builtins", "abc", "typing")


def _code(value):
    """The code of a function, behind all that wraps it."""
    return getattr(inspect.unwrap(decorated(value)), "__code__", None)


def _given(question):
    """Texts of configurations, by name: those of the command line before those of Metaflow's variable."""
    given = dict(question.get("configs") or {})
    variable = question.get("config_values")
    for name, value in json.loads(variable).items() if variable else ():
        given.setdefault(name, value if isinstance(value, str) else json.dumps(value))
    return given


def _mark(mark):
    read = _named if mark.name == "exit_hook" else lambda value: value
    return {
        "name": mark.name,
        "arguments": {str(name): _value(read(value)) for name, value in mark.attributes.items()},
        "inserted_by": mark.inserted_by,
        "attached": not mark.statically_defined and mark.inserted_by is None,
    }


def _parameter(attribute, parameter, root):
    default = parameter.default
    computed = callable(default)
    is_file = hasattr(parameter, "contents")
    if is_file and isinstance(default, str) and os.path.isabs(default) and _below(default, root):
        # Where the tree is on this machine must not reach a bundle.
        default = os.path.relpath(default, root).replace(os.sep, "/")
    return {
        "attribute": attribute,
        "name": parameter.name,
        "type": _type(parameter._declared_type),
        "default": None if default is None or computed else _default(default),
        "computed": computed,
        "file": is_file,
        "help": None if parameter.help is None else str(parameter.help),
        "required": bool(parameter.required),
        "separator": parameter.separator,
        "inserted_by": getattr(parameter, "_inserted_by", None),
    }


def _type(kind):
    if kind is None:
        return None
    if isinstance(kind, JSONTypeClass) or kind is JSONTypeClass:
        return "json"
    return getattr(kind, "__name__", None) or repr(kind)


def _named(value):
    """Functions in a list, as `@exit_hook` takes them, by their names."""
    if isinstance(value, (list, tuple)):
        return [getattr(item, "__name__", item) if callable(item) else item for item in value]
    return value


def _value(value):
    """A value that a target can be told, or how Python shows one that none can."""
    try:
        return {"value": _literal(value)}
    except (TypeError, ValueError):
        import re

        # Functions and objects show their addresses, which are others each time.
        return {"shown": re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))[:200]}


def _default(value):
    """As `_value`; what JSON would change or lacks stays Python's own, and is told by its text."""
    if _is_plain(value):
        return _value(value)
    try:
        text = carried.literal_text(value)
    except carried.NoLiteral:
        return _value(value)
    return {"native": {"text": text, "type": type(value).__name__}}


def _is_plain(value):
    """Whether any target can be told the value as it is."""
    if isinstance(value, dict):
        return all(
            isinstance(key, str) and carried.is_unicode(key) and _is_plain(item)
            for key, item in value.items()
        )
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    if isinstance(value, str):
        return carried.is_unicode(value)
    return value is None or (isinstance(value, float) and value - value == 0)


def _literal(value):
    if isinstance(value, NamespacedEventName):
        return {"pairs": [["namespaced_event_name", value.name]]}
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        # As pairs: whoever reads this may sort the keys of objects, and their order is the author's.
        return {"pairs": [[key, _literal(item)] for key, item in value.items()]}
    if isinstance(value, dict) or not _is_plain(value):
        raise TypeError(value)
    return value


def _said(error, root):
    """What went wrong, and on which line of the user's."""
    import traceback

    last = traceback.format_exception_only(type(error), error)[-1].strip()
    place = None
    if isinstance(error, SyntaxError) and error.filename:
        place = (error.filename, error.lineno or 1)
    else:
        for frame, line in traceback.walk_tb(error.__traceback__):
            if _below(frame.f_code.co_filename, root):
                place = (frame.f_code.co_filename, line)
    if place is not None and not _below(place[0], root):
        place = None
    return {
        "said": last,
        "file": place and os.path.relpath(place[0], root).replace(os.sep, "/"),
        "line": place and place[1],
    }


def _below(path, root):
    return os.path.abspath(path).startswith(os.path.join(os.path.abspath(root), ""))
