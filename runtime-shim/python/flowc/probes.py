"""Which environment variables a description of a flow comes from: it differs when one of them alone is another."""

import re

from .surroundings import ANY, texts_of

TEXT = object()
"""Stands for a text that no file expects; whoever executes has one."""

NUMBERS = ("1", "0", "7", "1000003", "{}")
"""Tried where another value made the file fail: it may want a number, or JSON."""

FILE_ERRORS = ("FileNotFoundError", "NotADirectoryError", "IsADirectoryError", "PermissionError")

VALUES_MAX = 40
"""Values of one variable that are tried."""

NAMES_MAX = 100
"""Variables that are tried of a file that goes through all of them."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Execution:
    """How one execution of the file went."""

    def __init__(self, answer, log=None):
        self.answer = answer
        log = log or {}
        self.reads = log.get("reads") or {}
        self.gone_through = log.get("gone_through")
        self.operands = log.get("operands") or []
        self.names = log.get("names") or []
        self.hashed = bool(log.get("hashed"))
        self.files = log.get("files") or []

    @property
    def failed(self):
        """Whether there is no description."""
        return "error" in self.answer

    @property
    def lacks_file(self):
        """Whether it failed over a file or folder, so that a number would be no better name for one."""
        said = (self.answer.get("error") or {}).get("said") or ""
        return said.partition(":")[0].endswith(FILE_ERRORS)

    def differs(self, other):
        """Whether the description is another, or fails in another way."""
        if self.failed or other.failed:
            return self.answer.get("error") != other.answer.get("error")
        return self.answer != other.answer


class Prober:
    """Executes the file again with other values. `execute(changes, traced)` returns an `Execution`."""

    def __init__(self, execute, base, held, pinned):
        self._execute = execute
        self._base = base
        self._held = held
        self._pinned = set(pinned)
        self._texts = None
        self._names = []

    def variables(self):
        """What is to be said of each variable that the description comes from."""
        found = []
        others = []
        for name, place in self._base.reads.items():
            if name in self._pinned:
                continue
            if place["own"] and place["alone"]:
                self._note(found, name, place, self._probe(name, True))
            else:
                others.append(name)
        for name in self._that_matter(others):
            self._note(found, name, self._base.reads[name], self._probe(name, False))
        if self._base.gone_through is not None:
            self._through_all(found)
        return found

    def _note(self, found, name, place, path):
        if path is not None:
            found.append(
                {"name": name, "path": path, "file": place["file"], "line": place["line"]}
            )

    def _through_all(self, found):
        """The file goes through all variables: any may matter, those with names that stand in it above all."""
        place = self._base.gone_through
        known = {one["name"] for one in found} | set(self._base.reads) | self._pinned
        path = self._probe(ANY, False)
        names = [text for text in self._constants() if NAME.fullmatch(text) and text[-1] != "_"]
        names = [name for name in names if name not in known and (place["own"] or name.isupper())]
        for name in self._that_matter(names[:NAMES_MAX]):
            self._note(found, name, place, self._probe(name, False))
        prefix = ""
        for one in list(self._names):
            if path is None and NAME.fullmatch(one):
                prefix = one
                path = self._probe(prefix + ANY, False)
        self._note(found, prefix + "*", place, path)

    def _probe(self, name, own):
        """Where the description differs for another value of a variable; an empty path if none can be had."""
        values = [TEXT]
        if name in self._held:
            values.append(None)
        tried = 0
        failures = 0
        while tried < len(values) and tried < VALUES_MAX:
            value = values[tried]
            tried += 1
            if value == self._held.get(name):
                continue
            seen = self._execute({name: value}, name)
            if seen.differs(self._base):
                if not seen.failed:
                    return [] if self._base.failed else difference(self._base.answer, seen.answer)
                if self._base.failed:
                    return []
                failures += 1
                if not seen.lacks_file:
                    values += [each for each in NUMBERS if each not in values]
            self._names += [one for one in seen.names if one not in self._names]
            more = seen.operands + (self._constants() if seen.hashed else [])
            values += [each for each in dict.fromkeys(more) if each not in values]
        return [] if own and failures and failures == tried else None

    def _that_matter(self, names):
        """Of names those that may matter: all are tried at once, and parts of them if that makes a difference."""
        if not names or not self._execute(dict.fromkeys(names, TEXT), None).differs(self._base):
            return []
        if len(names) == 1:
            return names
        half = len(names) // 2
        return self._that_matter(names[:half]) + self._that_matter(names[half:])

    def _constants(self):
        if self._texts is None:
            self._texts = texts_of(self._base.files)
        return self._texts


def difference(first, second):
    """Keys and indices that lead to the first difference."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in list(first) + [key for key in second if key not in first]:
            if key not in first or key not in second:
                return [key]
            if first[key] != second[key]:
                return [key] + difference(first[key], second[key])
    if isinstance(first, list) and isinstance(second, list):
        for index, (one, other) in enumerate(zip(first, second)):
            if one != other:
                return [index] + difference(one, other)
    return []
