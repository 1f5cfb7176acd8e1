"""`@timeout`: raises in user code when its time is over."""

import signal

from .exceptions import TimeoutException


def _message(seconds, step):
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return "Step %s timed out after %d hours, %d minutes, %d seconds" % (
        step,
        hours,
        minutes,
        rest,
    )


class limit:
    """Within this context user code has `seconds`, then `TimeoutException` is raised in it."""

    def __init__(self, seconds, step, wire):
        self._seconds = seconds
        self._step = step
        self._wire = wire
        self._over = False

    def __enter__(self):
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.alarm(self._seconds)

    def __exit__(self, *_error):
        self._over = True
        signal.alarm(0)
        self._wire.deferred = None
        signal.signal(signal.SIGALRM, self._before)

    def _ring(self, _number, _frame):
        if self._over:
            return
        if self._wire.busy:
            # A question to the shim is on its way; its answer must be read first.
            self._wire.deferred = self._raise
        else:
            self._raise()

    def _raise(self):
        raise TimeoutException(_message(self._seconds, self._step))
