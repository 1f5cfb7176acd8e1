"""Kills a process and all that descend from it, also those that have sessions of their own.

    python kill_tree.py PID
"""

import os
import signal
import sys
from pathlib import Path


def children():
    """The children of each process, by the kernel's table."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The program's name stands in parentheses and may hold anything.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    return found


def send(pid, number):
    """A process that has ended meanwhile is what is wanted."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_tree(root):
    """Stops each process before it is asked for its children, so that none is born unseen."""
    pending, stopped = [root], []
    while pending:
        for pid in pending:
            send(pid, signal.SIGSTOP)
        stopped += pending
        table = children()
        pending = [pid for parent in stopped for pid in table.get(parent, ()) if pid not in stopped]
    for pid in stopped:
        send(pid, signal.SIGKILL)


kill_tree(int(sys.argv[1]))
