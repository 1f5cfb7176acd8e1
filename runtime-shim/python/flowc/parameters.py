"""Parameters: their declaration, and the values that a run starts with."""

import collections
import sys

from .exceptions import MetaflowException, ParameterFieldFailed, ParameterFieldTypeMismatch

ParameterContext = collections.namedtuple(
    "ParameterContext",
    ["flow_name", "user_name", "parameter_name", "logger", "ds_type", "configs"],
)


class JSONTypeClass:
    """The type of a parameter whose value is any JSON value."""

    name = "JSON"

    def __repr__(self):
        return "JSON"


JSONType = JSONTypeClass()


class Parameter:
    """A parameter of a flow, declared as an attribute of its class."""

    IS_CONFIG_PARAMETER = False

    def __init__(
        self,
        name,
        default=None,
        type=None,
        help=None,
        required=None,
        show_default=None,
        separator=None,
        **kwargs
    ):
        self.name = name
        self.default = default
        self.help = help
        self.required = required
        self.separator = separator
        self._declared_type = type
        self.type = self._type()
        self.show_default = show_default
        self.kwargs = kwargs

    def _type(self):
        if self._declared_type is not None:
            return self._declared_type
        given = self.default is not None and not callable(self.default)
        return self.default.__class__ if given else str

    def settle(self, resolved, unpacked):
        """Evaluates the options that wait for configurations."""
        options = unpacked(self.kwargs)
        for name in ("default", "help", "required", "separator", "show_default"):
            if not getattr(self, name) and name in options:
                setattr(self, name, options.pop(name))
            setattr(self, name, resolved(getattr(self, name)))
        if self._declared_type is None and "type" in options:
            self._declared_type = options.pop("type")
        self._declared_type = resolved(self._declared_type)
        self.required = bool(self.required)
        self.type = self._type()
        self.kwargs = options

    def __repr__(self):
        return "Parameter(name=%r, default=%r)" % (self.name, self.default)

    def __getitem__(self, key):
        """Only so that `self.parameter["key"]` looks sound to a linter that knows the declaration."""


_TYPE_NAMES = {bool: "bool", int: "int", float: "float", list: "list", dict: "dict"}

_TRUE = ("true", "t", "1", "yes", "y")
_FALSE = ("false", "f", "0", "no", "n")


def values(declared, given, flow_name, user_name, store_kind, origins=None):
    """The value of each attribute, from what was given and the defaults.

    `declared` are pairs of attribute and `Parameter`, `given` is by name, and so
    is `origins`, which says where a value comes from that nobody typed.
    """
    folded = {name.replace("-", "_").lower(): value for name, value in given.items()}
    result = {}
    for attribute, parameter in declared:
        key = parameter.name.replace("-", "_").lower()
        if hasattr(parameter, "contents"):
            value = parameter.contents(folded.get(key), flow_name, user_name, store_kind)
            if value is None and parameter.required:
                raise MetaflowException("the parameter `%s` has no value" % parameter.name)
        elif folded.get(key) is not None:
            try:
                value = convert(parameter, folded[key])
            except MetaflowException as error:
                origin = (origins or {}).get(parameter.name)
                if origin is None:
                    raise
                raise MetaflowException("%s (it is the %s)" % (error, origin)) from None
        elif parameter.default is not None:
            value = parameter.default
            if callable(value):
                value = _computed(parameter, flow_name, user_name, store_kind)
            if parameter.type is not str:
                value = convert(parameter, value)
        elif parameter.required:
            raise MetaflowException("the parameter `%s` has no value" % parameter.name)
        else:
            value = None
        if isinstance(value, str) and value and parameter.separator:
            value = value.split(parameter.separator)
        result[attribute] = value
    return result


def convert(parameter, value):
    """A value as the parameter's type; text is read as on a command line."""
    kind = parameter.type
    try:
        if kind is str:
            if isinstance(value, (bool, int, float)):
                return str(value)
            return value
        if kind is bool:
            return _boolean(value)
        if kind is int or kind is float:
            return kind(value)
        if isinstance(kind, JSONTypeClass) or kind is JSONTypeClass:
            if isinstance(value, str):
                import json

                return json.loads(value)
            return value
        return kind(value)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        name = getattr(kind, "__name__", None) or repr(kind)
        raise MetaflowException(
            "the parameter `%s` cannot be %r: that is no %s" % (parameter.name, value, name)
        ) from None


def _boolean(value):
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        value = str(value)
    folded = value.lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise ValueError(value)


def _log(text="", *_arguments, **_options):
    print(text, file=sys.stderr)


def context_of(parameter, flow_name, user_name=None, store_kind=None):
    """What a function is called with that computes a default."""
    configured = sys.modules.get("flowc.configs")
    values = dict(configured.values) if configured is not None else {}
    return ParameterContext(flow_name, user_name, parameter.name, _log, store_kind, values)


def _computed(parameter, flow_name, user_name, store_kind):
    context = context_of(parameter, flow_name, user_name, store_kind)
    try:
        try:
            value = parameter.default(context, False)
        except TypeError:
            value = parameter.default(context)
    except Exception as error:
        raise ParameterFieldFailed(parameter.name, "default") from error
    kind = parameter.type
    if kind in _TYPE_NAMES and type(value) is not kind:
        raise ParameterFieldTypeMismatch(
            "the default of the parameter `%s` is computed as %r; expected a %s"
            % (parameter.name, value, _TYPE_NAMES[kind])
        )
    if kind is str and not isinstance(value, str):
        raise ParameterFieldTypeMismatch(
            "the default of the parameter `%s` is computed as %r; expected a string"
            % (parameter.name, value)
        )
    return value
