"""Tells what artifacts are, for `flowc dump`: `python harness.py show`.

Standard input is one JSON object: `artifacts`, a list of `task`, `name` and the
`path` of the pickle; and `file`, where the values are saved instead of told.
For each artifact a line of JSON goes to standard output: `text`, its `repr`;
`value`, where JSON holds it as it is; or `error`.

The flow file is not executed. What is of a class that only the flow file has is
told by what its pickle says of it.
"""

import json
import os
import sys
from pickle import HIGHEST_PROTOCOL, PicklingError, Unpickler

from . import lifeline, modules
from .carried import is_unicode
from .foreach import ForeachFrame


def main():
    """Answers the one request."""
    request = lifeline.request()
    # What unpickling prints is no answer.
    # Half a surrogate pair, which the other side would not read, becomes a question mark.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)
    modules.install()
    sys.modules["__main__"].ForeachFrame = ForeachFrame
    # As for a flow, modules beside which one works are found.
    sys.path.insert(0, os.getcwd())
    if request.get("file"):
        answers = [save(request["artifacts"], request["file"])]
    else:
        answers = (tell(artifact["path"]) for artifact in request["artifacts"])
    for answer in answers:
        out.write(json.dumps(answer, ensure_ascii=False) + "\n")
        out.flush()


def tell(path):
    """The answer for one pickle."""
    try:
        value = load(path)
        answer = {"text": repr(value)}
    except Exception as error:
        return {"error": _line(error)}
    if is_json(value):
        answer["value"] = value
    return answer


def save(artifacts, file):
    """Writes a pickle of a dictionary of each task's artifacts, as Metaflow's `dump --file` does."""
    tasks = {}
    try:
        for artifact in artifacts:
            what = "%(task)s, artifact `%(name)s`" % artifact
            value = load(artifact["path"])
            tasks.setdefault(artifact["task"], {})[artifact["name"]] = value
        what = file
        from pickle import dump

        with open(file, "wb") as target:
            dump(tasks, target, protocol=HIGHEST_PROTOCOL)
    except Exception as error:
        return {"error": "%s: %s" % (what, _line(error))}
    return {}


def load(path):
    """The object of a pickle."""
    with open(path, "rb") as file:
        return _Loader(file).load()


class _Loader(Unpickler):
    """Puts stand-ins where the flow file's own classes were."""

    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except AttributeError:
            if module != "__main__":
                raise
            return _stand_in(name)


def _stand_in(name):
    def new(cls, *arguments, **_named):
        made = object.__new__(cls)
        made.__dict__["_parts"] = list(arguments)
        return made

    def extend(self, items):
        self.__dict__["_parts"].extend(items)

    def show(self):
        parts = [repr(part) for part in self.__dict__["_parts"]]
        state = self.__dict__.items()
        parts += ["%s=%r" % pair for pair in state if pair[0] != "_parts"]
        return "<%s of the flow file: %s>" % (name, ", ".join(parts))

    def refuse(self, _protocol):
        raise PicklingError("the class `%s` is defined in the flow file" % name)

    return type(
        name,
        (),
        {
            "__new__": new,
            "__setitem__": lambda self, key, value: extend(self, [(key, value)]),
            "append": lambda self, item: extend(self, [item]),
            "extend": extend,
            "__repr__": show,
            "__reduce_ex__": refuse,
        },
    )


def is_json(value, depth=20):
    """Whether JSON gives the value back as it is to whoever has numbers of 64 bits."""
    kind = type(value)
    if value is None or kind is bool:
        return True
    if kind is str:
        return is_unicode(value)
    if kind is int:
        return -(1 << 63) <= value < 1 << 64
    if kind is float:
        return value - value == 0  # neither infinite nor nan
    if depth and kind is list:
        return all(is_json(item, depth - 1) for item in value)
    if depth and kind is dict:
        return all(
            type(key) is str and is_unicode(key) and is_json(item, depth - 1)
            for key, item in value.items()
        )
    return False


def _line(error):
    return "%s: %s" % (type(error).__name__, " ".join(str(error).split()))
