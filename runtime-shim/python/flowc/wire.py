"""Frames between the harness and the shim: four bytes of length, then JSON.

Every process pays for what this module imports, so it talks to the C
accelerators of `json` directly: the package itself imports `re`.
"""

import os
from _thread import get_ident

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


class Wire:
    """The harness's end of the socket.

    User code may read artifacts from several threads, and from processes that
    it forked, so a question and its answer are held together by a token in a
    pipe: whoever has read the token may speak.
    """

    def __init__(self, fd):
        self.fd = fd
        self.busy = False
        self.deferred = None
        self.over = False
        self._queue = []
        self._main_thread = get_ident()
        self._take, self._give = os.pipe()
        os.write(self._give, b".")

    def fileno(self):
        """The socket's descriptor."""
        return self.fd

    def send(self, frame):
        """Queues a frame that has no answer; it leaves with the next flush."""
        self._queue.append(pack(frame))

    def flush(self):
        """Sends what is queued."""
        queue, self._queue = self._queue, []
        try:
            write_all(self.fd, b"".join(queue))
        except OSError:
            os._exit(EXIT_LOST)

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
            os.read(self._take, 1)
            self.send(frame)
            self.flush()
            answer = self.receive()
        except BaseException:
            # Half a conversation cannot be taken up again.
            os._exit(EXIT_LOST)
        os.write(self._give, b".")
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
