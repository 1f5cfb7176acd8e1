"""`breakpoint()` and `pdb.set_trace()`: on the terminal of whoever runs the step, or an error that says how to get there."""

import io
import os
import sys

from .exceptions import MetaflowException
from .wire import identity, write_all

WAY = (
    "this task has no terminal for a debugger; in a terminal, `flowc run FLOW --pdb` gives it to one task at a time, "
    "and `flowc test step` to one step"
)

_has_terminal = False


class NoTerminal(MetaflowException):
    """User code called for a debugger that nobody could speak with."""

    headline = "No terminal"


def refuse():
    """Makes `breakpoint()` an error; what `PYTHONBREAKPOINT` names may do without a terminal, and is called."""
    sys.breakpointhook = _refuse


def _refuse(*arguments, **options):
    if os.environ.get("PYTHONBREAKPOINT") not in (None, "", "pdb.set_trace"):
        return sys.__breakpointhook__(*arguments, **options)
    raise NoTerminal(WAY)


def explained(error):
    """The error in the place of `BdbQuit`, with which a debugger ends that reads the end of its input."""
    bdb = sys.modules.get("bdb")
    if _has_terminal or bdb is None or not isinstance(error, bdb.BdbQuit):
        return error
    told = NoTerminal(WAY)
    told.__traceback__ = error.__traceback__
    return told


def take_terminal():
    """Gives the task the terminal; what Python prints goes to its logs as well."""
    global _has_terminal
    import fcntl

    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (1, 2)]
    terminal = os.open("/dev/tty", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(terminal, fd)
    os.close(terminal)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)
    sys.stdout = sys.__stdout__ = _Both(1, copies[0], "strict")
    sys.stderr = sys.__stderr__ = _Both(2, copies[1], "backslashreplace")
    sys.breakpointhook = sys.__breakpointhook__
    _has_terminal = True


class _Both(io.TextIOWrapper):
    """A standard stream on the terminal, whose text is also written to a pipe."""

    def __init__(self, fd, copy, errors):
        raw = open(fd, "wb", closefd=False)
        super().__init__(raw, errors=errors, line_buffering=True)
        self._copy = copy
        self._identity = identity(copy)

    def write(self, text):
        """Writes to both; user code may have closed the pipe."""
        if identity(self._copy) == self._identity:
            try:
                write_all(self._copy, text.encode("utf-8", "surrogateescape"))
            except OSError:
                pass
        return super().write(text)
