"""`@secrets`: fetched and put into the environment before user code starts.

The rules and the words are Metaflow's (`metaflow/plugins/secrets` and
`metaflow/plugins/aws/secrets_manager`, read at 2.19.39); the shim asks AWS.
"""

import os

from .exceptions import MetaflowException
from .settings import setting

SHORTEST = 4
"""Values with fewer characters are not hidden: they stand in every other line."""

PLAIN = frozenset(("True", "False", "None", "true", "false", "null"))
"""Values that are no secrets."""

AVAILABLE = ("inline", "aws-secrets-manager")

RESERVED = ("METAFLOW_", "FLOWC_")

hidden = ()
"""All that is hidden in what the task prints, the longest first."""


def hide(text):
    """The text without what is hidden; a text that is cut afterwards has no beginnings of it."""
    for one in hidden:
        text = text.replace(one, "***")
    return text


def inject(told, wire):
    """Sets the variables of all sources, or none."""
    found = []
    parts = []
    for source in told["sources"]:
        role = source.get("role") or told.get("role") or setting("DEFAULT_SECRETS_ROLE")
        kind = source.get("type") or setting("DEFAULT_SECRETS_BACKEND_TYPE")
        if not kind:
            raise MetaflowException(
                "No default secrets backend type configured, but needed by @secrets. "
                "Set METAFLOW_DEFAULT_SECRETS_BACKEND_TYPE."
            )
        if kind not in AVAILABLE:
            raise MetaflowException(
                "Unknown secrets backend type %s (available types: %s)"
                % (kind, ", ".join(AVAILABLE[1:]))
            )
        name = source["id"]
        options = source.get("options") or {}
        try:
            if kind == "inline":
                variables = options.get("env_vars", {})
            else:
                variables = _of_aws(name, options, role, wire, parts)
        except Exception as error:
            raise MetaflowException("Failed to retrieve secret '%s': %s" % (name, error)) from None
        _check(name, variables)
        found.append(("%s (%s)" % (name, kind), variables))
    parts.extend(value for _, variables in found for value in variables.values())
    _hide(parts, wire)
    by = {}
    for shown, variables in found:
        for key in variables:
            if key in by:
                raise MetaflowException(
                    "Secret '%s' will inject '%s' as env var, and it is also added by '%s'"
                    % (shown, key, by[key])
                )
            by[key] = shown
    if not told.get("allow_override"):
        for shown, variables in found:
            for key in variables:
                if key in os.environ:
                    raise MetaflowException(
                        "Secret '%s' will inject '%s' as env var, but it already exists in env"
                        % (shown, key)
                    )
    for _, variables in found:
        os.environ.update(variables)


def _of_aws(name, options, role, wire, parts):
    if name.startswith("arn:aws:secretsmanager:"):
        region = name.split(":")[3]
    else:
        region = options.get("region") or setting("AWS_SECRETS_MANAGER_DEFAULT_REGION")
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    role = role or setting("AWS_SECRETS_MANAGER_DEFAULT_ROLE")
    answer = wire.ask({"op": "secret", "id": name, "region": region, "role": role})
    if answer.get("failed"):
        raise MetaflowException(answer["failed"])
    if "name" not in answer:
        raise MetaflowException("Secret 'Name' is missing in response")
    variable = options.get("env_var_name") or answer["name"]
    if "text" in answer:
        text = answer["text"]
        if not options.get("json", True):
            return {_sanitized(variable): text}
        return _of_json(text, parts)
    if "base64" in answer:
        return {_sanitized(variable): answer["base64"]}
    raise MetaflowException("Secret response is missing both 'SecretString' and 'SecretBinary'")


def _of_json(text, parts):
    import json

    try:
        members = json.loads(text)
    except ValueError:
        # Not the parser's own words, which tell where it stumbled.
        raise MetaflowException("Secret string could not be parsed as JSON") from None
    if type(members) is not dict:
        raise MetaflowException(
            "Secret string is a JSON, but not an object (dict-like) - actual type %s."
            % type(members)
        )
    variables = {}
    for key, value in members.items():
        variable = _sanitized(key)
        if variable in variables:
            raise MetaflowException(
                "Duplicate key in secret: '%s' (sanitizes to '%s')" % (key, variable)
            )
        variables[variable] = str(value)
        _collect(value, parts)
    return variables


def _collect(value, parts):
    """Adds the texts inside a value of JSON, which may be taken out of it again."""
    if isinstance(value, str):
        parts.append(value)
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            _collect(inner, parts)


def _sanitized(key):
    return key.replace("-", "_").replace(".", "_").replace("/", "_")


def _check(name, variables):
    """Problems are told by name, never by value."""
    for key, value in variables.items():
        problem = None
        if not isinstance(value, str):
            problem = "Found non string value of '%s' (%s)" % (key, type(value))
        elif not (key.isascii() and key.isidentifier()):
            problem = "Found invalid env var name '%s'." % key
        elif "\0" in value:
            problem = "The value of env var '%s' holds a zero byte." % key
        for prefix in RESERVED:
            if key.startswith(prefix):
                problem = "Found disallowed env var name '%s' (starts with '%s')." % (key, prefix)
        if problem:
            raise MetaflowException("Invalid env vars from secret %s: %s" % (name, problem))


def _hide(values, wire):
    """Has the shim hide the values in the task's output, in all spellings that are likely."""
    global hidden
    texts = set()
    for value in values:
        # Without the space around it: a line's end stays one.
        value = value.strip()
        for text in (value, repr(value)[1:-1], _json(value), *value.splitlines()):
            text = text.strip()
            if len(text) >= SHORTEST and text not in PLAIN:
                texts.add(text)
    hidden = sorted(texts, key=lambda text: (-len(text), text))
    if hidden:
        wire.ask({"op": "hide", "texts": hidden})


def _json(value):
    from .wire import encode

    return encode(value)[1:-1]
