"""Configurations: values that are known before anything else of a flow is, and may stand in its decorators."""

import json
import os
import sys
from collections.abc import Mapping

from .exceptions import MetaflowException
from .parameters import Parameter, context_of

MODULE = "metaflow.user_configs.config_parameters"
"""Where Metaflow defines `ConfigValue`, whose pickles name that module."""

UNPACK = "_unpacked_delayed_"
"""How a key begins that stands for all keys of a configuration which is not known yet (`**config`)."""

values = {}
"""The configurations of the flow that runs, by name: what expressions may use."""


def _immutable(*_arguments, **_options):
    raise TypeError("ConfigValue is immutable")


class ConfigValue(dict):
    """A dictionary whose values are attributes too, and that does not change."""

    def __init__(self, data):
        dict.__init__(self, {key: _wrapped(value) for key, value in data.items()})

    @classmethod
    def fromkeys(cls, keys, value=None):
        """As `dict.fromkeys`."""
        return cls(dict.fromkeys(keys, value))

    def to_dict(self):
        """The same as plain dictionaries."""
        return plain(self)

    def copy(self):
        """Another one of the same values."""
        return type(self)(self)

    __copy__ = copy

    def __getattr__(self, key):
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __reduce__(self):
        return (type(self), (self.to_dict(),))

    def __dir__(self):
        return dir(type(self)) + [key for key in self if isinstance(key, str) and key.isidentifier()]

    __setattr__ = __setitem__ = __delattr__ = __delitem__ = _immutable
    clear = update = setdefault = pop = popitem = __ior__ = _immutable


ConfigValue.__module__ = MODULE


def _wrapped(value):
    if isinstance(value, ConfigValue):
        return value
    if isinstance(value, Mapping):
        return ConfigValue(value)
    if isinstance(value, (list, tuple, set)):
        return type(value)([_wrapped(item) for item in value])
    return value


def plain(value):
    """A value with dictionaries for configurations."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)([plain(item) for item in value])
    return value


class DelayEvaluator:
    """An expression over configurations, to be evaluated once these are known."""

    def __init__(self, expression, scope=None, path=()):
        self.__dict__.update(_expression=expression, _scope=scope, _path=path)

    def _further(self, name):
        return DelayEvaluator(self._expression, self._scope, (*self._path, name))

    def __getattr__(self, name):
        if name.startswith("__") or not self._expression.isidentifier():
            raise AttributeError(name)
        return self._further(name)

    def keys(self):
        """For `**`: one key that stands for all."""
        return ["%s%d" % (UNPACK, id(self))]

    def __getitem__(self, key):
        if isinstance(key, str) and key.startswith(UNPACK):
            return self
        if not self._expression.isidentifier():
            raise KeyError(key)
        return self._further(key)

    def __iter__(self):
        return iter(self.keys())

    def __call__(self, _context=None, _deploy_time=False):
        try:
            value = eval(self._expression, self._scope or {}, dict(values))
        except NameError as error:
            raise MetaflowException(
                "Config expression '%s' could not be evaluated: %s" % (self._expression, error)
            ) from error
        for name in self._path:
            name = resolved(name)
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        return value


def config_expr(expression):
    """An expression over configurations, for places where a configuration cannot be named itself."""
    return DelayEvaluator(expression, sys._getframe(1).f_globals)


def resolved(value):
    """A value with every delayed expression inside it evaluated."""
    if isinstance(value, DelayEvaluator):
        return value()
    if isinstance(value, dict):
        return {resolved(key): resolved(item) for key, item in unpacked(value).items()}
    if type(value) in (list, tuple, set):
        return type(value)([resolved(item) for item in value])
    return value


def unpacked(options):
    """Named arguments, those of `**config` among them."""
    result = {}
    for key, value in options.items():
        if isinstance(key, str) and key.startswith(UNPACK):
            result.update(plain(resolved(value)))
        else:
            result[key] = value
    return result


class Config(Parameter):
    """A configuration of a flow, declared as an attribute of its class."""

    IS_CONFIG_PARAMETER = True

    def __init__(
        self,
        name,
        default=None,
        default_value=None,
        help=None,
        required=None,
        parser=None,
        plain=False,
        **_options
    ):
        # Few names: all others are keys of the configuration.
        if default is not None and default_value is not None:
            raise MetaflowException(
                "For config '%s', you can only specify default or default_value, not both" % name
            )
        self.__dict__.update(
            name=name,
            parser=parser,
            _plain=plain,
            _file=default,
            _value=default_value,
            _needed=bool(required),
        )

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(DelayEvaluator(self.name), name)

    def __getitem__(self, key):
        return DelayEvaluator(self.name)[key] if not _is_unpacked(key) else DelayEvaluator(self.name)

    def keys(self):
        """For `**`."""
        return DelayEvaluator(self.name).keys()

    def __iter__(self):
        return iter(self.keys())

    def __repr__(self):
        return "Config(name=%r)" % self.name

    def wrap(self, value):
        """What user code sees of a value."""
        return value if value is None or self._plain else ConfigValue(value)

    def read(self, given, root, flow_name):
        """The value from the text that was given, else from the defaults, whose paths are below `root`."""
        text = self._text(given, root, flow_name)
        if text is None:
            if self._needed:
                raise MetaflowException("missing configuration for '%s'" % self.name)
            return None
        if self.parser:
            value = parser_of(self.parser)(text)
            if not self._plain and not isinstance(value, Mapping):
                raise MetaflowException(
                    "the parser of config '%s' returned a %s, no mapping"
                    % (self.name, type(value).__name__)
                )
            return value
        if self._plain:
            return text
        try:
            value = json.loads(text)
        except ValueError as error:
            raise MetaflowException(
                "configuration value for '%s' is not valid JSON: %s" % (self.name, error)
            ) from None
        if not isinstance(value, dict):
            raise MetaflowException("configuration value for '%s' is no JSON object" % self.name)
        return value

    def _text(self, given, root, flow_name):
        if given is not None:
            return given
        if self._file is not None:
            path = self._file
            if callable(path):
                path = path(context_of(self, flow_name))
            return self._open(os.path.join(root, path))
        value = self._value
        if callable(value):
            value = value(context_of(self, flow_name))
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value)

    def _open(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except OSError as error:
            raise MetaflowException(
                "default configuration file '%s' could not be read for '%s': %s"
                % (os.path.basename(path), self.name, error.strerror)
            ) from None


def _is_unpacked(key):
    return isinstance(key, str) and key.startswith(UNPACK)


def parser_of(parser):
    """A parser, imported if it is named."""
    if callable(parser):
        return parser
    path, _, name = ("metaflow" + parser if parser[:1] == "." else parser).rpartition(".")
    import importlib

    try:
        found = getattr(importlib.import_module(path), name, None)
    except ImportError as error:
        raise MetaflowException("Cannot locate parser %s" % parser) from error
    if not callable(found):
        raise MetaflowException("Parser %s is no function of %s" % (name, path))
    return found
