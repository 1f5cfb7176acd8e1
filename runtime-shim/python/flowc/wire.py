"""Frames between the harness and the shim: four bytes of length, then JSON.

Every process pays for what this module imports, so it talks to the C
accelerators of `json` directly: the package itself imports `re`.
"""

import os
from _thread import allocate_lock, get_ident

try:
    import _json

    class _Options:
        strict = True
        object_hook = None
        object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = float

    def _refuse(value):
        raise TypeError("%r has no place in a frame" % (value,))

    _scan = _json.make_scanner(_Options)
    _encode = _json.make_encoder(
        None, _refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, False
    )

    def decode(text):
        """The value of a JSON text."""
        return _scan(text, 0)[0]

    def encode(value):
        """A value as JSON in ASCII."""
        return "".join(_encode(value, 0))

except (ImportError, AttributeError, TypeError):  # an interpreter without the accelerators
    import json

    decode = json.loads

    def encode(value):
        """A value as JSON in ASCII."""
        return json.dumps(value, separators=(",", ":"))


PROTOCOL = 1

MAX_FRAME = 64 << 20
"""Longest frame, in bytes; neither side sends or accepts more."""

EXIT_LOST = 70
"""How the harness ends when the conversation cannot go on."""

LOST = b"flowc: descriptor %d, over which the task speaks with flowc, was closed by the step or belongs to another process\n"
"""Said where no new connection can be made."""


class Closed(Exception):
    """The other side closed the socket."""


def pack(frame):
    """The bytes of one frame."""
    body = encode(frame).encode("ascii")
    if len(body) > MAX_FRAME:
        raise ValueError("a frame of %d bytes is too long" % len(body))
    return len(body).to_bytes(4, "big") + body


def write_all(fd, data):
    """Writes all of `data`; one call of `write` takes less than 2 GiB."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(fd, view[: 1 << 30]) :]


def read_exactly(fd, size):
    """Reads `size` bytes or raises `Closed`."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        count = os.readv(fd, [view])
        if not count:
            raise Closed
        view = view[count:]
    return buffer


def identity(fd):
    """What an open descriptor is, whatever number it has; `None` if the number is not open."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connect(path):
    """A descriptor that speaks with the socket at `path`; `OSError` if nobody listens there."""
    import _socket

    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    folder = None
    try:
        try:
            link.connect(path)
        except OSError as error:
            if "too long" not in str(error):
                raise
            # The kernel takes about a hundred bytes.
            folder = os.open(os.path.dirname(path), os.O_RDONLY)
            link.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(path)))
    finally:
        if folder is not None:
            os.close(folder)
    return link.detach()


class Wire:
    """The harness's end of the socket.

    User code may read artifacts from several threads, which take turns, and from
    processes that it forked, each of which makes a connection of its own. So
    does the task itself if user code has closed its descriptor, as daemons do.
    """

    def __init__(self, fd):
        self.fd = fd
        self.busy = False
        self.deferred = None
        self.over = False
        self.door = None
        self.connected = None
        """Called after a new connection was made."""
        self._queue = []
        self._main_thread = get_ident()
        self._lock = allocate_lock()
        self._identity = identity(fd)
        self._stale = False
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self):
        """What another thread was saying is not for this process to go on with."""
        self._lock = allocate_lock()
        self._queue = []
        self._stale = True
        self.busy = False
        self.deferred = None

    def is_open(self):
        """Whether the descriptor is still what it was."""
        return identity(self.fd) == self._identity

    def send(self, frame):
        """Queues a frame that has no answer; it leaves with the next flush."""
        self._queue.append(pack(frame))

    def flush(self):
        """Sends what is queued."""
        with self._lock:
            self._flush()

    def _flush(self):
        if self._stale or not self.is_open():
            self._connect()
        queue, self._queue = self._queue, []
        try:
            write_all(self.fd, b"".join(queue))
        except OSError:
            os._exit(EXIT_LOST)

    def _connect(self):
        if self.door is None:
            os.write(2, LOST % self.fd)
            os._exit(EXIT_LOST)
        if self._stale and self.is_open():
            os.close(self.fd)
        try:
            self.fd = connect(self.door)
        except OSError:
            os._exit(EXIT_LOST)
        self._identity = identity(self.fd)
        self._stale = False
        if self.connected is not None:
            self.connected()

    def receive(self):
        """The next frame; the process ends if there is none."""
        try:
            size = int.from_bytes(read_exactly(self.fd, 4), "big")
            return decode(read_exactly(self.fd, size).decode("utf-8"))
        except (Closed, OSError):
            os._exit(EXIT_LOST)

    def ask(self, frame):
        """Sends a frame and returns its answer; the process ends on `error`."""
        # Signals reach the main thread only; there they wait until the answer is read.
        if get_ident() == self._main_thread:
            self.busy = True
        try:
            with self._lock:
                self.send(frame)
                self._flush()
                answer = self.receive()
        except BaseException:
            # Half a conversation cannot be taken up again.
            os._exit(EXIT_LOST)
        if answer.get("op") != "ok":
            self._end()
        if get_ident() == self._main_thread:
            self.busy = False
            if self.deferred is not None:
                action, self.deferred = self.deferred, None
                action()
        return answer

    def _end(self):
        import sys

        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        os._exit(EXIT_LOST)
