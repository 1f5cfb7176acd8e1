"""The warm interpreter: imports once, then forks a child per task.

It never executes a flow file. Each child does that anew, so that what it sees
is what a fresh interpreter would see.
"""

import _socket
import gc
import os
import select
import signal
import sys
import time

from . import modules, process
from .wire import Wire, decode, pack, write_all

DESCRIPTORS = 3
"""A `fork` comes with the socket, standard output and standard error of the child."""


def serve(fd):
    """Answers requests until the other side closes the socket; does not return."""
    Zygote(fd).loop()


class Zygote:
    """State of the warm interpreter."""

    def __init__(self, fd):
        self._socket = _socket.socket(fileno=fd)
        self._buffer = bytearray()
        self._descriptors = []
        self._children = {}
        self._left = set()
        self._codes = {}
        self._closed = False

    def loop(self):
        """Reads requests and reaps children."""
        try:
            os.setsid()
        except OSError:
            pass  # it leads a group already
        # Ctrl-C is for whoever runs the flow; it tells us by closing the socket.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._wake, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._closed:
            ready = {fd for fd, _ in poll.poll()}
            if self._wake in ready:
                os.read(self._wake, 4096)
            if self._socket.fileno() in ready:
                self._receive()
            self._reap()
        self._end_children()
        os._exit(0)

    def _receive(self):
        room = _socket.CMSG_SPACE(DESCRIPTORS * 16 * 4)
        flags = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            data, ancillary, _flags, _address = self._socket.recvmsg(1 << 16, room, flags)
        except OSError:
            data, ancillary = b"", []
        for level, kind, payload in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                self._descriptors += memoryview(payload[: len(payload) // 4 * 4]).cast("i").tolist()
        if not data:
            self._closed = True
            return
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4], "big")
            if len(self._buffer) < end:
                return
            request = decode(self._buffer[4:end].decode("utf-8"))
            del self._buffer[:end]
            if request["op"] == "fork":
                self._fork(request)
            elif request["op"] == "preload":
                self._watch(os.O_ASYNC)
                reply = self._preload(request)
                self._watch(0)
                self._send(reply)
            else:
                self._send({"op": "error", "message": "no such request: %s" % request["op"]})

    def _send(self, frame):
        try:
            write_all(self._socket.fileno(), pack(frame))
        except OSError:
            self._closed = True

    def _watch(self, asynchronous):
        """While modules are imported nobody polls the socket: a signal tells that the other side is gone."""
        import fcntl

        fd = self._socket.fileno()

        def look(_number, _frame):
            poll = select.poll()
            poll.register(fd, 0)
            if poll.poll(0):
                if os.getpgrp() == os.getpid():
                    os.killpg(0, signal.SIGKILL)
                os._exit(0)

        try:
            if asynchronous:
                signal.signal(signal.SIGIO, look)
            fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
            flags = fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_ASYNC
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | asynchronous)
        except (AttributeError, OSError):
            return  # a system without: the end is seen once the modules are imported
        if asynchronous:
            look(None, None)

    def _preload(self, request):
        # A package that imports `metaflow` is to find what the tasks find.
        modules.install()
        failed = {}
        for name in request.get("modules") or ():
            package, _, submodule = name.partition(":")
            if request.get("file") and _is_beside(package, request["file"]):
                break  # the user's own: it may do anything, and the order of what follows counts
            try:
                __import__(package, fromlist=[submodule] if submodule else [])
            except BaseException as error:
                failed[name] = " ".join(("%s: %s" % (type(error).__name__, error)).split())[:500]
        # What the harness itself needs in every task, or in most.
        import atexit  # noqa: F401

        _load_prctl()
        if request.get("file"):
            try:
                self._code(request["file"])
            except BaseException:
                pass  # the task will say it, with its traceback
        gc.collect()
        gc.freeze()
        return {
            "op": "ok",
            "threads": surviving_threads(),
            "failed": failed,
            "python": sys.version,
            "executable": sys.executable,
        }

    def _code(self, file):
        """The code of a flow file, compiled again when the file has changed."""
        status = os.stat(file)
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        held = self._codes.get(file)
        if held is None or held[0] != stamp:
            held = self._codes[file] = (stamp, process.compile_flow(file))
        return held[1]

    def _fork(self, request):
        given, self._descriptors = (
            self._descriptors[:DESCRIPTORS],
            self._descriptors[DESCRIPTORS:],
        )
        if len(given) < DESCRIPTORS:
            self._send({"op": "failed", "id": request["id"], "message": "no descriptors came with it"})
            return
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._send({"op": "failed", "id": request["id"], "message": error.strerror})
            pid = None
        if pid == 0:
            try:
                self._child(request, given, parent)
            finally:
                os._exit(70)
        for fd in given:
            os.close(fd)
        if pid is not None:
            self._children[pid] = request["id"]
            self._send({"op": "forked", "id": request["id"], "pid": pid})

    def _child(self, request, given, parent):
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        _die_with_parent()
        if os.getppid() != parent:
            os._exit(70)
        for fd in self._descriptors + [self._wake, self._wake_in]:
            os.close(fd)
        self._socket.close()
        control, out, err = given
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        for name, value in (request.get("environment") or {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if "TZ" in (request.get("environment") or {}):
            time.tzset()
        if request.get("cwd"):
            os.chdir(request["cwd"])
        fresh_random_state()
        forget_finalizers()
        forget_trackers()
        gc.enable()
        process.run(control, self._code)

    def _reap(self):
        self._left = {group for group in self._left if _has_members(group)}
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            name = self._children.pop(pid, None)
            if name is None:
                continue
            if _has_members(pid):
                # Whoever asked for it waits for what it has left running, and ends that.
                self._left.add(pid)
            signaled = os.WIFSIGNALED(status)
            self._send(
                {
                    "op": "exited",
                    "id": name,
                    "code": None if signaled else os.WEXITSTATUS(status),
                    "signal": os.WTERMSIG(status) if signaled else None,
                }
            )

    def _end_children(self):
        for pid in [*self._children, *self._left]:
            for kill in (os.killpg, os.kill):  # it may not lead its group yet
                try:
                    kill(pid, signal.SIGKILL)
                except OSError:
                    pass


def _has_members(group):
    """Whether a process group still has a process."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _is_beside(package, file):
    """Whether a module is found below the folder of the flow file, not among what is installed there."""
    from importlib.util import find_spec

    try:
        spec = find_spec(package.partition(".")[0])
    except (ImportError, ValueError):
        return False
    places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    root = os.path.join(os.path.dirname(os.path.realpath(file)), "")
    for place in places:
        inside = os.path.realpath(place or "").partition(root)[2]
        if inside and not {"site-packages", "dist-packages"} & set(inside.split(os.sep)):
            return True
    return False


def fresh_random_state():
    """Seeds what a fork would otherwise share; `random` does so itself."""
    mtrand = sys.modules.get("numpy.random.mtrand")
    if mtrand is not None:
        mtrand.seed()


def forget_finalizers():
    """Keeps a child from cleaning up what belongs to the warm interpreter, such as temporary folders."""
    weakref = sys.modules.get("weakref")
    if weakref is not None:
        for info in weakref.finalize._registry.values():
            info.atexit = False


def forget_trackers():
    """Lets a child have a resource tracker of its own, if a preloaded package has started one.

    That of the warm interpreter lives as long as the run does, and would keep the
    child's shared memory until then.
    """
    for name in TRACKERS:
        module = sys.modules.get(name)
        tracker = getattr(module, "_resource_tracker", None)
        if getattr(tracker, "_fd", None) is not None:
            os.close(tracker._fd)
            tracker._fd = tracker._pid = None


TRACKERS = (
    "multiprocessing.resource_tracker",
    "joblib.externals.loky.backend.resource_tracker",
    "loky.backend.resource_tracker",
)
"""Modules with a process that removes what others have left (shared memory, semaphores)."""


def surviving_threads():
    """Names of the threads that a fork would lose.

    A library that can be forked with its threads stops them first
    (`pthread_atfork`; OpenBLAS does), so a fork is tried and what is left
    afterwards is counted.
    """
    if not _thread_names():
        return []
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return _thread_names()


def _thread_names():
    """Of all threads but the main one: Python's names for its own, the kernel's for the others."""
    threading = sys.modules.get("threading")
    named = {}
    if threading is not None:
        for thread in threading.enumerate():
            named[getattr(thread, "native_id", None)] = thread.name
    main = os.getpid()
    try:
        ids = [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [name for number, name in named.items() if number != main]
    names = []
    for number in sorted(ids):
        if number == main:
            continue
        name = named.get(number)
        if name is None:
            try:
                with open("/proc/self/task/%d/comm" % number) as file:
                    name = file.read().strip()
            except OSError:
                continue
        names.append(name)
    return names


_prctl = None
PR_SET_PDEATHSIG = 1


def _load_prctl():
    global _prctl
    if _prctl is None and sys.platform == "linux":
        try:
            import ctypes

            _prctl = ctypes.CDLL(None).prctl
        except (ImportError, OSError, AttributeError):
            pass


def _die_with_parent():
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
