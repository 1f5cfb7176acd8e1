"""Ends this process, and all that it has started, when whoever asked is gone.

Who asks writes one line of JSON to standard input and keeps it open until the
answer is there. However it ends, the kernel then closes it. User code runs in a
fork, so that the process which watches is never busy with anything else. A
question without a line's end has nobody to watch.
"""

import json
import os
import select
import signal
import sys

from .wire import EXIT_LOST

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

PATIENCE_S = 5
"""How long what was killed may take to be gone."""


def hear():
    """The question on standard input, and what tells that the asker is gone (None if nothing does)."""
    from .process import move_control

    fd = move_control()
    text = bytearray()
    while not text.endswith(b"\n"):
        part = os.read(fd, 1 << 16)
        if not part:
            os.close(fd)
            fd = None
            break
        text += part
    if not text:
        os._exit(EXIT_LOST)  # the asker was gone before it asked
    return json.loads(text.decode("utf-8")), fd


def request():
    """The question on standard input; what runs from here on ends with whoever asked."""
    asked, fd = hear()
    if fd is not None:
        guard = Guard(fd)
        pid = guard.fork()
        if pid:
            while guard.ended is None:
                guard.wait(None)
            os._exit(exit_code(guard.ended))
    return asked


def exit_code(status):
    """How a process says that its child ended so."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class Guard:
    """Watches over one fork at a time."""

    def __init__(self, lifeline):
        self._lifeline = lifeline
        self._pid = None
        self.ended = None
        self._prctl = _prctl()
        # What the fork leaves behind becomes a child of this process, and can be found.
        self._control(PR_SET_CHILD_SUBREAPER, 1)
        self._wake, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        if lifeline is not None:
            self._poll.register(lifeline, select.POLLIN)

    def _control(self, *arguments):
        if self._prctl is not None:
            self._prctl(*arguments + (0,) * (5 - len(arguments)))

    def fork(self):
        """As `os.fork`; the child leads a session of its own."""
        # What the terminal or the asker sends is for the one that works.
        signal.signal(signal.SIGINT, self._pass_on)
        signal.signal(signal.SIGTERM, self._pass_on)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        self.ended = None
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self._pid = pid
            return pid
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        self._control(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(EXIT_LOST)
        for fd in (self._wake, self._wake_in, self._lifeline):
            if fd is not None:
                os.close(fd)
        return 0

    def _pass_on(self, number, _frame):
        if self._pid and self.ended is None:
            os.kill(self._pid, number)

    def wait(self, timeout_s, watched=None):
        """Waits until the fork has ended, `watched` can be read or the time is over; says whether it can be read."""
        if watched is not None:
            self._poll.register(watched, select.POLLIN)
        ready = {fd for fd, _ in self._poll.poll(None if timeout_s is None else timeout_s * 1000)}
        if watched is not None:
            self._poll.unregister(watched)
        if self._lifeline in ready:
            self.end()
            os._exit(EXIT_LOST)
        if self._wake in ready:
            os.read(self._wake, 4096)
        self._reap()
        return watched in ready

    def _reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self._pid:
                self.ended = status

    def end(self):
        """Ends the fork and everything that it has started."""
        import time

        before = time.monotonic() + PATIENCE_S
        for kill in (os.killpg, os.kill):  # it may not lead its group yet
            _send(kill, self._pid)
        # Orphans become children of this process as those above them end.
        while self._reap() and time.monotonic() < before:
            for pid in children_of(os.getpid()):
                _send(os.kill, pid)
            time.sleep(0.001)

    def resident_bytes(self):
        """Memory of the fork and of all below it; None where the system does not tell."""
        total = None
        page = os.sysconf("SC_PAGE_SIZE")
        pids = [self._pid]
        while pids:
            pid = pids.pop()
            try:
                with open("/proc/%d/statm" % pid) as file:
                    total = (total or 0) + int(file.read().split()[1]) * page
            except (OSError, IndexError):
                continue
            pids += children_of(pid)
        return total


def _send(kill, pid):
    try:
        kill(pid, signal.SIGKILL)
    except OSError:
        pass


def children_of(pid):
    """Direct children; none where the system does not tell."""
    found = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread)) as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def _prctl():
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
