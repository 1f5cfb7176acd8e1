"""Artifacts to bytes and back.

The C pickler is used without the module `pickle`, whose import costs more than
a small task.
"""

import os
import sys
from binascii import a2b_base64, b2a_base64

try:
    from _pickle import Pickler, Unpickler, loads
except ImportError:
    from pickle import Pickler, Unpickler, loads

from .exceptions import (
    ArtifactLoadException,
    ArtifactNameException,
    Fault,
    UnpicklableArtifactException,
)
from .wire import write_all

INLINE_MAX = 64 << 10
"""Largest pickle that travels inside a frame, in bytes."""

BUFFER_MIN = 1 << 20
"""From this size on a contiguous buffer is pickled by protocol 5, without a copy of it."""

STRIDE = 8 << 20
"""A file longer than this is told of while it grows, each time it has grown by so many bytes."""

NAME_MAX = 255 - len("0_artifact_.json")
"""Longest name in bytes: Metaflow's metadata has a file `0_artifact_<name>.json` for each artifact."""

EXIT_MACHINE = 71
"""The shim's exit code for a limit of this machine."""

ATOMS = (type(None), bool, int, float, complex, str, bytes)
"""Types whose values cannot change: what was loaded is what is there."""


class _Sink:
    """Takes a pickle: small ones in memory, larger ones in a file."""

    def __init__(self, spool):
        self._spool = spool
        self._parts = []
        self._fd = None
        self._told = 0
        self.size = 0
        self.path = None

    def write(self, data):
        if type(data) is not bytes:
            # The memory of a large object itself; `raw` also takes Fortran order for one row of bytes.
            data = data.raw() if hasattr(data, "raw") else memoryview(data).cast("B")
        length = len(data)
        try:
            if self._fd is None:
                if self.size + length <= INLINE_MAX:
                    self._parts.append(bytes(data))
                    self.size += length
                    return length
                self.path = self._spool.new()
                self._fd = os.open(
                    self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
                )
                write_all(self._fd, b"".join(self._parts))
                self._parts = []
            if length <= STRIDE:
                self._append(data)
            else:
                view = memoryview(data)
                for start in range(0, length, STRIDE):
                    self._append(view[start : start + STRIDE])
        except OSError as error:
            self.discard()
            raise Fault(EXIT_MACHINE, "cannot write %s: %s" % (self.path, error.strerror))
        return length

    def _append(self, data):
        write_all(self._fd, data)
        self.size += len(data)
        if self.size - self._told > STRIDE:
            # The shim hashes what is there while the rest is written.
            self._told = self.size
            self._spool.grown(self.path, self.size)

    def close(self):
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                os.close(fd)
            except OSError as error:
                raise Fault(EXIT_MACHINE, "cannot write %s: %s" % (self.path, error.strerror))

    def data(self):
        return b"".join(self._parts)

    def discard(self):
        """Drops what was written."""
        self._parts = []
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self.path is not None:
            try:
                os.unlink(self.path)
            except OSError:
                pass


class _LargeBuffer(Exception):
    """An object on the way holds a buffer that protocol 4 would copy."""


_exports_buffer = {}
"""Per type: whether its instances offer their memory."""


def _has_large_buffer(value):
    kind = type(value)
    numpy = sys.modules.get("numpy")
    array = getattr(numpy, "ndarray", None)
    if array is not None and isinstance(value, array):
        return (
            value.nbytes >= BUFFER_MIN
            and not value.dtype.hasobject
            and (value.flags.c_contiguous or value.flags.f_contiguous)
        )
    if kind is bytes:
        return False
    if _exports_buffer.get(kind, True):
        try:
            with memoryview(value) as view:
                return view.nbytes >= BUFFER_MIN and view.contiguous
        except Exception:
            _exports_buffer[kind] = False
    return False


class _WatchfulPickler(Pickler):
    """Protocol 4, but gives up before an object that would be copied."""

    def reducer_override(self, value):
        if _has_large_buffer(value):
            raise _LargeBuffer
        return NotImplemented


def _buffers_are_likely():
    """Whether a library is loaded whose objects can hold large buffers."""
    return "numpy" in sys.modules or "pyarrow" in sys.modules


def dump(value, spool):
    """Pickles `value` into a sink; `spool` names a new file when one is needed, and hears how it grows.

    The first look at each object decides the protocol, so nothing large is
    pickled twice: an attempt by protocol 4 stops where the first large buffer
    is met.
    """
    sink = _Sink(spool)
    kind = type(value)
    try:
        if kind in ATOMS:
            Pickler(sink, 4).dump(value)
        elif _has_large_buffer(value):
            Pickler(sink, 5).dump(value)
        elif not _buffers_are_likely():
            Pickler(sink, 4).dump(value)
        else:
            try:
                _WatchfulPickler(sink, 4).dump(value)
            except _LargeBuffer:
                sink.discard()
                sink = _Sink(spool)
                Pickler(sink, 5).dump(value)
        sink.close()
        return sink
    except BaseException:
        sink.discard()
        raise


def check_name(name):
    """Refuses a name that cannot be part of a file's name, or be told to others in UTF-8."""
    if not isinstance(name, str):
        what = "it is no text but of type %s" % type(name).__name__
    elif not name:
        what = "it is empty"
    elif "/" in name:
        what = "it holds a slash"
    elif "\0" in name:
        what = "it holds a NUL character"
    else:
        try:
            length = len(name.encode())
        except UnicodeEncodeError:
            what = "it holds half of a surrogate pair"
        else:
            if length <= NAME_MAX:
                return
            what = "it has %d bytes, more than %d" % (length, NAME_MAX)
    shown = ascii(name)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    raise ArtifactNameException(
        "artifact %s cannot be kept under its name: %s; it becomes the name of a file, so give it another one"
        % (shown, what)
    )


def frame(name, value, spool):
    """The `artifact` frame of a value."""
    check_name(name)
    try:
        sink = dump(value, spool)
    except Fault:
        raise
    except Exception as error:
        raise UnpicklableArtifactException(_why_not(name, value, error)) from None
    head = {"op": "artifact", "name": name, "type": str(type(value))}
    if sink.path is None:
        head["data"] = b2a_base64(sink.data(), newline=False).decode("ascii")
    else:
        head["path"] = sink.path
        head["size"] = sink.size
    return head


def load(answer, label, check):
    """The object in the shim's answer to `load`; `check` asks for the verdict on a file that is still being verified."""
    try:
        data = answer.get("data")
        if data is not None:
            return loads(a2b_base64(data))
        # A buffered reader hands large reads through to their destination, so there is no copy.
        with open(answer["path"], "rb", 1 << 16) as file:
            if "check" not in answer:
                return Unpickler(file).load()
            from . import unverified

            return unverified.load(file, Unpickler, lambda: check(answer["check"]))
    except MemoryError:
        raise
    except Exception as error:
        raise ArtifactLoadException(
            "artifact %s cannot be loaded: %s: %s" % (label, type(error).__name__, error)
        ) from error


class _Nothing:
    """A sink that forgets."""

    def write(self, _data):
        return 0


def _pickles(value):
    try:
        Pickler(_Nothing(), 4).dump(value)
    except Exception:
        return False
    return True


def _why_not(name, value, error):
    path, culprit = _culprit(value)
    where = " at `%s%s`" % (name, path) if path else ""
    return "artifact `%s` of type %s cannot be pickled: %s%s (%s)" % (
        name,
        _type_name(value),
        "it holds a %s" % _type_name(culprit) if path else "it is not a plain value",
        where,
        " ".join(str(error).split()) or type(error).__name__,
    )


def _type_name(value):
    kind = type(value)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return "%s.%s" % (kind.__module__, kind.__qualname__)


def _culprit(value, depth=8, breadth=1000):
    """Walks down to the part that does not pickle: its path and the part itself."""
    path = ""
    for _ in range(depth):
        for step, child in _children(value, breadth):
            if not _pickles(child):
                path, value = path + step, child
                break
        else:
            break
    return path, value


def _children(value, breadth):
    if isinstance(value, dict):
        pairs = (("[%.40r]" % (key,), child) for key, child in value.items())
    elif isinstance(value, (list, tuple)):
        pairs = (("[%d]" % index, child) for index, child in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        pairs = (("{…}", child) for child in value)
    else:
        state = getattr(value, "__dict__", None)
        if isinstance(value, type) or not isinstance(state, dict):
            return
        pairs = ((".%s" % key, child) for key, child in state.items())
    for _, pair in zip(range(breadth), pairs):
        yield pair
