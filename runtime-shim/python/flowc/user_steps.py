"""Step decorators of the user's own: what they are told, and how they wrap the body of a step."""

import inspect
import types

from .configs import resolved, unpacked
from .decorators import decorated
from .exceptions import MetaflowException

USER_SKIP_STEP = {}
"""What a generator yields to skip its step."""


def name_of(kind):
    """The full name of a class of decorators."""
    return getattr(kind, "_decorator_name", "%s.%s" % (kind.__module__, kind.__name__))


class Named(type):
    """Gives each class of decorators its full name."""

    @property
    def decorator_name(cls):
        """`module.Class`"""
        return name_of(cls)


class UserStepDecoratorBase(metaclass=Named):
    """What step decorators and step mutators have in common."""

    _step_field = None
    _allowed_args = False
    _allowed_kwargs = False

    def __init__(self, *args, **kwargs):
        self.decorator_name = name_of(type(self))
        self.statically_defined = kwargs.pop("_statically_defined", True)
        self.inserted_by = kwargs.pop("_inserted_by", None)
        self._my_step = None
        self._ran_init = False
        self._args = args
        self._kwargs = kwargs
        first = decorated(args[0]) if args else None
        if callable(first) and hasattr(first, "is_step"):
            # Without brackets: what is decorated is all that is given.
            self._args = args[1:]
            self._register(first)
        if self._args and not self._allowed_args:
            raise MetaflowException("%s does not allow arguments" % self)
        if self._kwargs and not self._allowed_kwargs:
            raise MetaflowException("%s does not allow keyword arguments" % self)

    def _register(self, function):
        self._my_step = function
        for field in self._fields():
            getattr(function, field).append(self)
        return function

    def _fields(self):
        fields = [kind.__dict__.get("_step_field") for kind in type(self).__mro__]
        return list(dict.fromkeys(field for field in fields if field))

    def __call__(self, target=None):
        if target is not None:
            return self._register(decorated(target))
        if self._my_step is None:
            raise MetaflowException("%s can only be applied to a step function" % self)
        return self._my_step

    def __get__(self, instance, owner):
        return self._my_step.__get__(instance, owner)

    def __str__(self):
        return str(self.__class__)

    def get_args_kwargs(self):
        """Positional and named arguments, as mutators see them."""
        return list(self._args), dict(self._kwargs)

    def init(self, *_args, **_kwargs):
        """Takes the decorator's arguments; to be overridden."""

    def external_init(self):
        """Calls `init` once, with configurations evaluated."""
        if self._ran_init:
            return
        self._args = [resolved(argument) for argument in self._args]
        self._kwargs = resolved(unpacked(self._kwargs))
        own = "init" in self.__class__.__dict__
        if (self._args or self._kwargs) and not own:
            raise MetaflowException("%s is used with arguments but does not implement init" % self)
        if own:
            self.init(*self._args, **self._kwargs)
        self._ran_init = True


class UserStepDecorator(UserStepDecoratorBase):
    """Base of decorators that run before and after the body of a step."""

    _step_field = "wrappers"
    _allowed_kwargs = True
    _skip_step = False

    def pre_step(self, step_name, flow, inputs=None):
        """Runs before the body; may return what is called instead of it."""

    def post_step(self, step_name, flow, exception=None):
        """Runs after the body; returns an exception, or one and the arguments of `self.next`."""
        return exception, None

    @property
    def skip_step(self):
        """Whether the body is skipped, or the arguments of the `self.next` in its place."""
        return self._skip_step

    @skip_step.setter
    def skip_step(self, value):
        self._skip_step = value


def user_step_decorator(*args, **kwargs):
    """Makes a step decorator of a generator function that yields where the body runs."""
    if not args:
        return lambda function: user_step_decorator(function, **kwargs)
    generator = args[0]
    if not isinstance(generator, types.FunctionType) or not inspect.isgeneratorfunction(generator):
        raise MetaflowException("@user_step_decorator can only decorate generator functions.")
    count = len(inspect.signature(generator).parameters)
    if count not in ((4,) if kwargs else (3, 4)):
        raise MetaflowException(
            "@user_step_decorator can only decorate generator functions with 3 or 4 arguments "
            "(step_name, flow, inputs [, attributes])."
        )

    class WrapClass(UserStepDecorator):
        _decorator_name = "%s.%s" % (generator.__module__, generator.__name__)

        def init(self, *args, **kwargs):
            if args:
                raise MetaflowException(
                    "%s does not allow arguments, only keyword arguments" % self
                )
            self._kwargs = kwargs

        def pre_step(self, step_name, flow, inputs=None):
            attributes = (self._kwargs,) if count == 4 else ()
            self._running = generator(step_name, flow, inputs, *attributes)
            yielded = self._running.send(None)
            if isinstance(yielded, dict):
                self.skip_step = yielded or True
                return None
            return yielded

        def post_step(self, step_name, flow, exception=None):
            try:
                if exception:
                    self._running.throw(exception)
                else:
                    self._running.send(None)
            except StopIteration as end:
                return end.value
            except Exception as error:
                return error
            return None, None, MetaflowException(" %s should only yield once" % self)

    WrapClass.__name__ = WrapClass.__qualname__ = generator.__name__
    return WrapClass


def run(function, flow, body, arguments, replay):
    """Runs the body of a step inside the decorators around it, the last applied outermost.

    `replay(options)` calls `self.next` as the plan has it, with other options if there are any.
    """
    inputs = arguments[0] if arguments else None
    entered = []
    instead = None
    options = None
    for wrapper in reversed(function.wrappers):
        instead = wrapper.pre_step(function.name, flow, inputs)
        entered.append(wrapper)
        if wrapper.skip_step:
            options = wrapper.skip_step
            break
        if instead:
            break
    raised = None
    failed = False
    if not options:
        try:
            if instead:
                options = instead(flow, *arguments) or None
            else:
                body(*arguments)
        except Exception as error:
            raised = error
            failed = True
    for wrapper in reversed(entered):
        try:
            said = wrapper.post_step(function.name, flow, raised)
        except Exception as error:
            said = error
        if said is None:
            raised = None
        elif isinstance(said, Exception):
            raised = said
        elif isinstance(said, tuple):
            if len(said) != 2:
                raise said[2]
            raised, options = said
        else:
            raise RuntimeError(
                "Invalid return value from a UserStepDecorator. Expected an exception or an "
                "exception and arguments for self.next, got: %s" % said
            )
    if raised:
        raise raised
    if options not in (None, False) or failed:
        if isinstance(options, dict) and options:
            replay(options)
        elif options in (True, {}) or failed:
            replay({})
        else:
            raise RuntimeError(
                "Invalid value passed to self.next; expected bool or a dictionary; got: %s"
                % options
            )
