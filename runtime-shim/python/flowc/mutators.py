"""Mutators: the user's code that adds and removes decorators and parameters before a flow is used."""

import json

from . import configs
from .configs import resolved, unpacked
from .decorators import Mark, decorated
from .exceptions import MetaflowException
from .parameters import Parameter
from .user_steps import Named, UserStepDecoratorBase, name_of


class StepMutator(UserStepDecoratorBase):
    """Base of decorators that change the decorators of a step."""

    _step_field = "config_decorators"
    _allowed_args = True
    _allowed_kwargs = True

    def pre_mutate(self, mutable_step):
        """Called as soon as configurations are known."""

    def mutate(self, mutable_step):
        """Called after all of `pre_mutate`."""


class FlowMutator(metaclass=Named):
    """Base of decorators that change a flow."""

    def __init__(self, *args, **kwargs):
        self.decorator_name = name_of(type(self))
        self.statically_defined = True
        self.inserted_by = None
        self._flow_cls = None
        self._ran_init = False
        self._args = args
        self._kwargs = kwargs
        first = decorated(args[0]) if args else None
        if isinstance(first, type) and hasattr(first, "_prepare"):
            self._args = args[1:]
            self._register(first)

    def _register(self, flow_class):
        if "_flow_mutators" not in flow_class.__dict__:
            flow_class._flow_mutators = []
        flow_class._flow_mutators.append(self)
        self._flow_cls = flow_class
        return flow_class

    def __mro_entries__(self, _bases):
        return (self._flow_cls,)

    def __call__(self, target=None):
        if target is not None:
            return self._register(decorated(target))
        if self._flow_cls is None:
            raise MetaflowException("A FlowMutator can only be applied to a FlowSpec")
        return self._flow_cls()

    def __str__(self):
        return str(self.__class__)

    init = UserStepDecoratorBase.init
    external_init = UserStepDecoratorBase.external_init
    get_args_kwargs = UserStepDecoratorBase.get_args_kwargs
    pre_mutate = StepMutator.pre_mutate
    mutate = StepMutator.mutate


def of_flow(flow_class, attribute):
    """What decorators have put on a class and its bases, those of the class itself last."""
    return [
        entry
        for kind in reversed(flow_class.__mro__)
        for entry in kind.__dict__.get(attribute, ())
    ]


def steps_of(flow_class):
    """The steps of a class, by name in the order of `dir`."""
    found = {}
    for name in dir(flow_class):
        if name.startswith("__"):
            continue
        value = getattr(flow_class, name, None)
        if callable(value) and hasattr(value, "is_step"):
            found[name] = decorated(value)
    return found


def prepare(flow_class, values, attached=()):
    """Evaluates what waits for configurations, and lets the mutators do their work; `values` are by name.

    `attached` are the decorators of the option `--with`.

    Returns whether there were mutators.
    """
    from .flowspec import declared_parameters

    declared = declared_parameters(flow_class)
    kept = [(name, each) for name, each in declared if each.IS_CONFIG_PARAMETER]
    configs.values.update((each.name, each.wrap(values.get(each.name))) for _, each in kept)
    steps = steps_of(flow_class)
    flow_class._config_values = {name: values.get(each.name) for name, each in kept}
    mutators = flow_class._all_mutators = of_flow(flow_class, "_flow_mutators")
    flow_class._all_marks = of_flow(flow_class, "_flow_marks")
    mutated = mutators or any(function.config_decorators for function in steps.values())
    if mutated:
        for mutator in mutators:
            mutator.external_init()
        for name, each in kept:
            setattr(flow_class, name, each.wrap(values.get(each.name)))
        try:
            _mutate(flow_class, mutators, steps, attached)
        finally:
            for name, each in kept:
                setattr(flow_class, name, each)
    else:
        _attach(steps, attached)
    for _, parameter in declared_parameters(flow_class):
        if not parameter.IS_CONFIG_PARAMETER:
            parameter.settle(resolved, unpacked)
    for mark in flow_class._all_marks:
        mark.attributes = resolved(mark.attributes)
    for function in steps_of(flow_class).values():
        for mark in function.decorators:
            mark.attributes = resolved(mark.attributes)
        for wrapper in function.wrappers:
            wrapper.external_init()
    return bool(mutated)


def _attach(steps, texts):
    """Puts the decorators of `--with` onto every step that has none of their names."""
    for function in steps.values():
        for text in texts:
            name, _, named = _specification(text)
            if all(mark.name != name for mark in function.decorators):
                function.decorators.append(Mark(name, named, statically_defined=False))


def _mutate(flow_class, mutators, steps, attached):
    # A mutator may add another one, whose turn then comes.
    for mutator in mutators:
        mutator.pre_mutate(MutableFlow(flow_class, True, mutator))
    for function in steps.values():
        for mutator in function.config_decorators:
            mutator.external_init()
    for function in steps.values():
        for mutator in function.config_decorators:
            mutator.pre_mutate(MutableStep(flow_class, function, True, mutator))
    # As in Metaflow, `pre_mutate` does not see what `--with` adds, and what it has added itself comes first.
    _attach(steps, attached)
    for mutator in mutators:
        mutator.mutate(MutableFlow(flow_class, False, mutator))
    for function in steps.values():
        for mutator in function.config_decorators:
            mutator.mutate(MutableStep(flow_class, function, False, mutator))


def _matches(short, full, query):
    return full == query if "." in query else short == query


def _specification(text):
    """Name, positional and named arguments of `name:key=value,key=value`."""
    name, _, rest = text.partition(":")
    positional, named = [], {}
    import re

    for part in re.split(r",(?=[\s\w]+=)", rest) if rest else ():
        key, _, value = part.partition("=")
        key, value = key.strip(), value.strip()
        try:
            value = json.loads(value.replace('\\"', '"'))
        except ValueError:
            pass
        if key.isdigit():
            positional.extend([None] * (int(key) + 1 - len(positional)))
            positional[int(key)] = value
        else:
            named[key] = value
    return name, positional, named


class _Mutable:
    """What a mutator may do to a flow and to a step alike."""

    IGNORE = 1
    ERROR = 2
    OVERRIDE = 3

    def __init__(self, flow_class, early, mutator):
        self._flow_cls = flow_class
        self._early = early
        self._mutator = mutator
        self._inserted_by = [mutator.decorator_name] + (mutator.inserted_by or [])

    def has_decorator(self, name):
        """Whether there is a decorator of a short or full name."""
        return bool(self.get_decorator_specs(name))

    def get_decorator_specs(self, name):
        """The specifications of decorators of a short or full name."""
        return [spec for spec in self.decorator_specs if _matches(spec[0], spec[1], name)]

    @property
    def decorator_specs(self):
        """Short name, full name, positional and named arguments of each decorator."""
        for mark in self._marks():
            yield (mark.name, "metaflow.plugins." + mark.name, *mark.get_args_kwargs())
        for one in self._own():
            yield (type(one).__name__, one.decorator_name, *one.get_args_kwargs())

    def _add_mark(self, name, attributes, duplicates):
        marks = self._marks()
        if any(mark.name == name for mark in marks):
            if duplicates == self.OVERRIDE:
                marks[:] = [mark for mark in marks if mark.name != name]
            elif duplicates == self.ERROR and self._mutator.statically_defined:
                raise MetaflowException("decorator `%s` is there already" % name)
            else:
                return None
        mark = Mark(name, attributes, self._mutator.statically_defined, self._inserted_by)
        marks.append(mark)
        return mark

    def _remove_mark(self, name, named):
        marks = self._marks()
        kept = [
            mark
            for mark in marks
            if mark.name != name or (named is not None and mark.attributes != named)
        ]
        removed = len(kept) < len(marks)
        marks[:] = kept
        return removed

    def _only_early(self, what):
        if not self._early:
            raise MetaflowException(
                "%s by %s is only allowed in the `pre_mutate` method and not the `mutate` method"
                % (what, self._mutator.decorator_name)
            )

    def _taken_apart(self, kind, positional, named):
        """What is to be added: a class or a name, and its arguments."""
        positional, named = list(positional or ()), dict(named or {})
        if not isinstance(kind, str):
            return getattr(kind, "mark", kind), positional, named
        name, own_positional, own_named = _specification(kind)
        if (own_positional or own_named) and (positional or named):
            raise MetaflowException(
                "Cannot specify additional arguments when adding a decorator using a decospec "
                "that already has arguments"
            )
        found = _find(self._base, name)
        return found or name, positional or own_positional, named or own_named


def _find(base, name):
    """The user's own class of decorators of a short or full name."""
    for kind in base.__subclasses__():
        if _matches(kind.__name__, name_of(kind), name):
            return kind
        found = _find(kind, name)
        if found is not None:
            return found
    return None


class MutableStep(_Mutable):
    """A step as a mutator sees it."""

    _base = UserStepDecoratorBase

    def __init__(self, flow_class, function, early, mutator):
        super().__init__(flow_class, early, mutator)
        self._my_step = function

    def _marks(self):
        return self._my_step.decorators

    def _own(self):
        every = self._my_step.wrappers + self._my_step.config_decorators
        return list({id(one): one for one in every}.values())

    @property
    def flow(self):
        """The flow of the step."""
        return MutableFlow(self._flow_cls, self._early, self._mutator)

    def add_decorator(
        self, deco_type, deco_args=None, deco_kwargs=None, duplicates=_Mutable.IGNORE
    ):
        """Adds a decorator of Metaflow's or of the user's; returns it, or None if it was there."""
        kind, positional, named = self._taken_apart(deco_type, deco_args, deco_kwargs)
        if isinstance(kind, str):
            if positional:
                raise MetaflowException(
                    "Step decorators do not take additional positional arguments"
                )
            return self._add_mark(kind, named, duplicates)
        if not (isinstance(kind, type) and issubclass(kind, UserStepDecoratorBase)):
            raise TypeError("add_decorator takes a metaflow decorator or user StepDecorator")
        if issubclass(kind, StepMutator):
            self._only_early("Adding step mutator '%s'" % kind.decorator_name)
        one = kind(*positional, **named)
        there = [old for old in self._own() if old.decorator_name == one.decorator_name]
        if there:
            if duplicates == self.OVERRIDE:
                for field in one._fields():
                    old = getattr(self._my_step, field)
                    old[:] = [each for each in old if each not in there]
            elif duplicates == self.ERROR and self._mutator.statically_defined:
                raise MetaflowException("decorator `%s` is there already" % one.decorator_name)
            else:
                return None
        one.statically_defined = self._mutator.statically_defined
        one.inserted_by = self._inserted_by
        one._register(self._my_step)
        one.external_init()
        return one

    def remove_decorator(self, deco_name, deco_args=None, deco_kwargs=None):
        """Removes decorators of a name; returns whether there were any."""
        every = deco_args is None and deco_kwargs is None
        wanted = (list(deco_args or ()), dict(deco_kwargs or {}))
        removed = [
            one
            for one in self._own()
            if _matches(type(one).__name__, one.decorator_name, deco_name)
            and (every or one.get_args_kwargs() == wanted)
        ]
        if any(isinstance(one, StepMutator) for one in removed):
            self._only_early("Removing step mutator '%s'" % deco_name)
        if removed:
            for field in ("wrappers", "config_decorators"):
                kept = [one for one in getattr(self._my_step, field) if one not in removed]
                setattr(self._my_step, field, kept)
            return True
        return self._remove_mark(deco_name, None if every else wanted[1])


class MutableFlow(_Mutable):
    """A flow as a mutator sees it."""

    _base = FlowMutator

    def _marks(self):
        return self._flow_cls._all_marks

    def _own(self):
        return self._flow_cls._all_mutators

    @property
    def configs(self):
        """Name and value of each configuration."""
        yield from configs.values.items()

    @property
    def parameters(self):
        """Attribute and declaration of each parameter."""
        from .flowspec import declared_parameters

        for name, parameter in declared_parameters(self._flow_cls):
            if not parameter.IS_CONFIG_PARAMETER:
                yield name, parameter

    @property
    def steps(self):
        """Name of each step, and the step."""
        for name, function in steps_of(self._flow_cls).items():
            yield name, self._step(function)

    def _step(self, function):
        return MutableStep(self._flow_cls, function, self._early, self._mutator)

    def add_parameter(self, name, value, overwrite=False):
        """Adds a parameter under the name of an attribute."""
        self._only_early("Adding parameter '%s'" % name)
        if hasattr(self._flow_cls, name) and not overwrite:
            raise MetaflowException(
                "Flow '%s' already has a class member '%s' -- set overwrite=True in "
                "add_parameter to overwrite it." % (self._flow_cls.__name__, name)
            )
        if not isinstance(value, Parameter) or value.IS_CONFIG_PARAMETER:
            raise MetaflowException(
                "Only a Parameter or an IncludeFile can be added using `add_parameter`; got %s"
                % type(value)
            )
        value._inserted_by = self._inserted_by
        setattr(self._flow_cls, name, value)

    def remove_parameter(self, parameter_name):
        """Removes a parameter by its own name; returns whether there was one."""
        self._only_early("Removing parameter '%s'" % parameter_name)
        for name, parameter in self.parameters:
            if parameter.name == parameter_name:
                delattr(self._flow_cls, name)
                return True
        return False

    def add_decorator(
        self, deco_type, deco_args=None, deco_kwargs=None, duplicates=_Mutable.IGNORE
    ):
        """Adds a flow decorator or a mutator; returns it, or None if it was there."""
        kind, positional, named = self._taken_apart(deco_type, deco_args, deco_kwargs)
        self._only_early("Adding flow-decorator '%s'" % kind)
        if isinstance(kind, str):
            if positional:
                raise MetaflowException(
                    "Flow decorators do not take additional positional arguments"
                )
            return self._add_mark(kind, named, duplicates)
        if not (isinstance(kind, type) and issubclass(kind, FlowMutator)):
            raise TypeError("add_decorator takes a metaflow decorator or a FlowMutator")
        one = kind(*positional, **named)
        mutators = self._flow_cls._all_mutators
        if any(old.decorator_name == one.decorator_name for old in mutators):
            if duplicates == self.OVERRIDE:
                mutators[:] = [
                    old for old in mutators if old.decorator_name != one.decorator_name
                ]
            elif duplicates == self.ERROR and self._mutator.statically_defined:
                raise MetaflowException(
                    "Duplicate FlowMutator '%s' on flow" % one.decorator_name
                )
            else:
                return None
        one.statically_defined = self._mutator.statically_defined
        one.inserted_by = self._inserted_by
        one._flow_cls = self._flow_cls
        one.external_init()
        mutators.append(one)
        return one

    def remove_decorator(self, deco_name, deco_args=None, deco_kwargs=None):
        """Removes flow decorators of a name; returns whether there were any."""
        self._only_early("Removing flow-decorator '%s'" % deco_name)
        if any(
            _matches(type(one).__name__, one.decorator_name, deco_name)
            for one in self._flow_cls._all_mutators
        ):
            raise MetaflowException("Cannot remove FlowMutator '%s'." % deco_name)
        every = deco_args is None and deco_kwargs is None
        return self._remove_mark(deco_name, None if every else dict(deco_kwargs or {}))

    def __getattr__(self, name):
        value = getattr(self._flow_cls, name)
        if callable(value) and hasattr(value, "is_step"):
            return self._step(decorated(value))
        if name[:1] != "_" and isinstance(value, (Parameter, configs.ConfigValue)):
            return value
        raise AttributeError(name)
