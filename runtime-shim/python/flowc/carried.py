"""Values as text, on their way from the Python that makes them to the Python of each task.

Nothing on the way reads the text, so that no digit of a number and no order of
keys can change. A value that JSON has is JSON; one that it would change or
lacks is Python's own literal: tuples, keys that are no texts, `nan`, bytes,
sets. Of everything else there is a pickle, for tasks on the same machine.
"""

from .exceptions import MetaflowException

JSON = "json"
LITERAL = "literal"
PICKLE = "pickle"

_DEPTH_MAX = 40
"""Brackets inside brackets that every Python's parser takes; that of 3.8 gives up at 50 sets."""

_NAMES = {"__builtins__": {}, "float": float, "set": set, "frozenset": frozenset}
"""What a literal may use besides syntax."""


class NoLiteral(Exception):
    """Which part of a value has no literal."""


def write(name, value):
    """The form of a configuration's value, its text, and for a pickle why there is no other."""
    text = json_text(value)
    if text is not None:
        return {"form": JSON, "text": text}
    try:
        return {"form": LITERAL, "text": literal_text(value)}
    except NoLiteral as error:
        because = str(error)
    import pickle
    from binascii import b2a_base64

    try:
        pickled = pickle.dumps(value, protocol=4)
    except Exception as error:
        raise MetaflowException(
            "the value of config '%s' cannot be handed on to the steps: %s, which cannot be pickled: %s"
            % (name, because, error)
        ) from None
    return {"form": PICKLE, "text": b2a_base64(pickled, newline=False).decode(), "because": because}


def read(form, text):
    """The value of a text."""
    if form == JSON:
        import json

        return json.loads(text)
    if form == LITERAL:
        return eval(text, dict(_NAMES))
    import pickle
    from binascii import a2b_base64

    return pickle.loads(a2b_base64(text))


def json_text(value):
    """The value as JSON; None where JSON would read back as another."""
    if not _is_json(value, 0):
        return None
    import json

    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        # Python refuses to write integers of more than 4300 digits in decimals.
        return None


def _is_json(value, depth):
    kind = type(value)
    if value is None or kind in (bool, int):
        return True
    if kind is str:
        return is_unicode(value)
    if kind is float:
        return value - value == 0  # neither infinite nor nan
    if depth > 200:
        return False
    if kind is list:
        return all(_is_json(item, depth + 1) for item in value)
    if kind is dict:
        return all(
            type(key) is str and is_unicode(key) and _is_json(item, depth + 1)
            for key, item in value.items()
        )
    return False


def is_unicode(text):
    """Whether a text has no half of a surrogate pair, two of which JSON would join."""
    return text.isascii() or text == text.encode("utf-8", "ignore").decode("utf-8")


def literal_text(value, at="it", depth=0):
    """The value as Python's literal; `NoLiteral` names the part that has none."""
    kind = type(value)
    if kind is int and value.bit_length() > 4096:
        return hex(value)
    if kind is float and value - value != 0:
        # A call, since two keys that are `nan` are two objects.
        return "float('%r')" % value
    if value is None or kind in (bool, int, float, str, bytes):
        return repr(value)
    if depth > _DEPTH_MAX:
        raise NoLiteral("%s is nested too deeply" % at)
    if kind in (list, tuple):
        items = [
            literal_text(item, "%s[%d]" % (at, number), depth + 1)
            for number, item in enumerate(value)
        ]
        if kind is list:
            return "[%s]" % ",".join(items)
        return "(%s)" % "".join(item + "," for item in items)
    if kind is dict:
        return "{%s}" % ",".join(
            "%s:%s"
            % (
                literal_text(key, "a key of %s" % at, depth + 1),
                literal_text(item, "%s[%r]" % (at, key), depth + 1),
            )
            for key, item in value.items()
        )
    if kind in (set, frozenset):
        # In an order that does not depend on the hash seed.
        items = sorted(literal_text(item, "an item of %s" % at, depth + 1) for item in value)
        return "%s((%s))" % (kind.__name__, "".join(item + "," for item in items))
    raise NoLiteral("%s is a `%s`" % (at, kind.__name__))
