"""Which environment variables a flow file reads when it is executed, and what it compares their values with."""

import os
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
LIBRARY = os.path.dirname(os.path.abspath(os.__file__))

ANY = "FLOWC_PROBE"
"""A variable that nobody has: whether a file takes all variables shows in what it makes of this one."""

OPERAND_MAX = 100
"""Longest text that is tried as a value, in characters."""


class Log:
    """What was read, in the order of the first reads."""

    def __init__(self, root):
        self._root = os.path.join(os.path.abspath(root), "")
        self.reads = {}
        self.gone_through = None
        self.operands = []
        self.names = []
        self.hashed = False

    def read(self, name):
        """Notes that a variable was read."""
        if name not in self.reads:
            place = self._place()
            if place is not None:
                through = self.gone_through
                place["alone"] = through is None or place["line"] != through["line"]
                self.reads[name] = place

    def all_read(self):
        """Notes that all variables were read."""
        place = self._place()
        if place is not None and (self.gone_through is None or place["own"]):
            self.gone_through = place

    def compared(self, operand):
        """Notes that the traced value was compared with another."""
        for part in operand if isinstance(operand, tuple) else (operand,):
            if isinstance(part, str) and len(part) <= OPERAND_MAX and "\0" not in part:
                if part not in self.operands:
                    self.operands.append(str.__str__(part))

    def name_compared(self, operand):
        """Notes that the name of the traced variable was compared with another, or with a beginning."""
        for part in operand if isinstance(operand, tuple) else (operand,):
            if isinstance(part, str) and part not in self.names:
                self.names.append(str.__str__(part))

    def told(self):
        """All of it, as JSON holds it."""
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        files = {os.path.abspath(file) for file in files if isinstance(file, str)}
        return {
            "reads": self.reads,
            "gone_through": self.gone_through,
            "operands": self.operands,
            "names": self.names,
            "hashed": self.hashed,
            # The flow's own, whose texts tell what values are expected.
            "files": sorted(
                file
                for file in files
                if file.startswith(self._root) and not file.startswith(HERE)
            ),
        }

    def _place(self):
        """Who reads: the nearest code that is not Python's own library; None if that is the harness."""
        frame = sys._getframe(3)
        nearest = None
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(HERE):
                # Whom the harness lets run is one of the two below.
                if file != __file__:
                    break
            elif file.startswith(self._root):
                return {
                    "own": nearest is None,
                    "file": os.path.relpath(file, self._root).replace(os.sep, "/"),
                    "line": frame.f_lineno,
                }
            elif nearest is None and not _is_python(file):
                nearest = file
            frame = frame.f_back
        return None if nearest is None else {"own": False, "file": None, "line": None}


def _is_python(file):
    inside = file.startswith(LIBRARY + os.sep) and "-packages" not in file
    return inside or file.startswith("<frozen ")


def watch(root, probed=None):
    """Watches the environment from here on; the value of the variable `probed` is traced. Returns the log."""
    log = Log(root)

    def looked_up():
        log.hashed = True

    value_of = _traced(log.compared, looked_up)
    name_of = _traced(log.name_compared, lambda: None)

    class Watched(type(os.environ)):
        def __getitem__(self, key):
            name = os.fsdecode(key) if isinstance(key, bytes) else key
            if isinstance(name, str):
                log.read(str.__str__(name))
            value = super().__getitem__(key)
            return value_of(value) if key == probed else value

        def __iter__(self):
            log.all_read()
            return (name_of(key) if key == probed else key for key in super().__iter__())

    for environment in (os.environ, getattr(os, "environb", None)):
        if environment is not None:
            environment.__class__ = Watched
    return log


def _traced(compared, looked_up):
    """A class of texts that tell what they are compared with, and that they are looked up."""

    class Text(str):
        __slots__ = ()

        def __hash__(self):
            looked_up()
            return str.__hash__(self)

    def comparing(name):
        plain = getattr(str, name)

        def compare(self, operand, *rest):
            compared(operand)
            return plain(self, operand, *rest)

        setattr(Text, name, compare)

    def handing_on(name):
        plain = getattr(str, name)

        def hand_on(self, *arguments):
            made = plain(self, *arguments)
            if isinstance(made, (list, tuple)):
                return type(made)(Text(part) for part in made)
            return Text(made)

        setattr(Text, name, hand_on)

    for name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__"):
        comparing(name)
    for name in ("count", "endswith", "find", "index", "startswith"):
        comparing(name)
    for name in ("capitalize", "casefold", "lower", "lstrip", "partition", "replace", "rsplit"):
        handing_on(name)
    for name in ("rstrip", "split", "strip", "title", "upper", "__getitem__"):
        handing_on(name)
    return Text


def texts_of(files):
    """Every text that stands in source files, each once: what a value may be looked up as."""
    found = {}
    for file in files:
        try:
            with open(file, "rb") as source:
                codes = [compile(source.read(), file, "exec", dont_inherit=True)]
        except (OSError, SyntaxError, ValueError):
            continue
        while codes:
            for constant in codes.pop().co_consts:
                if hasattr(constant, "co_consts"):
                    codes.append(constant)
                elif isinstance(constant, (tuple, frozenset)):
                    found.update((part, None) for part in constant if isinstance(part, str))
                elif isinstance(constant, str):
                    found[constant] = None
    return [text for text in found if text and len(text) <= OPERAND_MAX and "\0" not in text]
