"""User tracebacks: the frames of the harness are left out. Imported only when something failed."""

import os
import sys
import types

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep

TEXT_MAX = 1 << 18
"""Longest message or traceback that is told, in characters; the middle of longer ones is left out."""

LINE_MAX = 500
"""Longest one-line account of a failure, in characters."""


def _is_ours(code):
    name = code.co_filename
    return name.startswith(_HERE) or name.startswith("<frozen importlib")


def _without_ours(trace):
    kept = []
    while trace is not None:
        if not _is_ours(trace.tb_frame.f_code):
            kept.append(trace)
        trace = trace.tb_next
    chain = None
    for trace in reversed(kept):
        chain = types.TracebackType(chain, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return chain


def clean(error):
    """Takes the frames of the harness out of an exception and of those it came from."""
    seen = set()
    queue = [error]
    while queue:
        error = queue.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        error.__traceback__ = _without_ours(error.__traceback__)
        queue.append(error.__cause__)
        queue.append(error.__context__)
        queue.extend(getattr(error, "exceptions", ()) or ())


def text(error):
    """The traceback as Python prints it."""
    import traceback

    clean(error)
    try:
        return _printable(
            "".join(traceback.format_exception(type(error), error, error.__traceback__))
        )
    except Exception:  # an exception whose own methods raise
        return "%s\n" % type(error).__name__


def line(error, flow_file, step):
    """One line for people: `ValueError: no such shard (flow.py:12 in train)`."""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:
        message = ""
    message = " ".join(_printable(message).split())
    first = "%s: %s" % (name, message) if message else name
    if len(first) > LINE_MAX:
        first = first[: LINE_MAX - 1] + "…"
    place = _place(error, flow_file)
    if isinstance(error, SyntaxError) and not place:
        return first
    return "%s (%s in %s)" % (first, place, step) if place else "%s (in %s)" % (first, step)


def _place(error, flow_file):
    """The innermost frame in the flow file, else the innermost there is."""
    found = last = None
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not _is_ours(code):
            last = (code.co_filename, trace.tb_lineno)
            if code.co_filename == flow_file:
                found = last
        trace = trace.tb_next
    found = found or last
    return found and "%s:%s" % (os.path.basename(found[0]), found[1])


def _cut(value):
    if len(value) <= TEXT_MAX:
        return value
    half = TEXT_MAX // 2
    return "%s\n[… %d characters …]\n%s" % (value[:half], len(value) - 2 * half, value[-half:])


def _printable(value):
    """Text without lone surrogates, which JSON readers refuse, and without secrets."""
    vault = sys.modules.get("flowc.vault")
    if vault is not None:
        value = vault.hide(value)
    return value.encode("utf-8", "replace").decode("utf-8")


def describe(error, flow_file, step):
    """What `finish` tells of an exception."""
    try:
        message = str(error)
    except Exception:
        message = ""
    return {
        "type": "%s.%s" % (type(error).__module__, type(error).__name__),
        "message": _cut(_printable(message)),
        "line": line(error, flow_file, step),
        "traceback": _cut(text(error)),
    }


def show(error):
    """Prints the traceback on standard error."""
    try:
        sys.stderr.write(text(error))
        sys.stderr.flush()
    except Exception:
        pass
