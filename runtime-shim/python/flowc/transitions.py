"""`self.next`: what was called is compared with what the compiler read."""

from .exceptions import InvalidNextException

VALUE_MAX = 30
"""Longest text of a foreach element in `_foreach_values`, in characters (Metaflow's default)."""


class Plan:
    """What the plan says about the step that runs."""

    def __init__(self, step, kind, targets, variable, condition, empty_foreach):
        self.step = step
        self.kind = kind
        self.targets = targets
        self.variable = variable
        self.condition = condition
        self.may_be_empty = empty_foreach == "join"


plan = None
"""The running step's; one process runs one step."""


def is_join(flow):
    """Whether the step that runs is a join."""
    return plan is not None and plan.kind == "join"


def follow(flow, targets, options):
    """Carries out `self.next`."""
    step = flow._current_step
    variable = options.pop("foreach", None)
    condition = options.pop("condition", None)
    nodes = options.pop("num_parallel", None)
    if options:
        raise InvalidNextException(
            "Step *%s* passes an unknown keyword argument '%s' to self.next()."
            % (step, next(iter(options)))
        )
    if flow._transition is not None:
        raise InvalidNextException(
            "Multiple self.next() calls detected in step *%s*. Call self.next() only once." % step
        )
    if condition is not None:
        _choose(flow, step, targets, condition, variable if nodes is None else "num_parallel")
        return
    if len(targets) == 1 and isinstance(targets[0], dict):
        raise InvalidNextException(
            "Step *%s* has an invalid self.next() transition. Dictionary argument requires "
            "'condition' parameter." % step
        )
    names = [_name(flow, step, number, target) for number, target in enumerate(targets, 1)]
    if nodes is not None:
        from . import gang

        gang.start(flow, step, names, nodes)
        variable = gang.VARIABLE
    elif variable:
        _split(flow, step, names, variable)
    elif not names:
        raise InvalidNextException(
            "Step *%s* has an invalid self.next() transition. Specify at least one step function "
            "as an argument in self.next()." % step
        )
    check(names, variable or None)
    flow._transition = (names, variable)


def check(names, variable, condition=None):
    """Compares a transition with the plan."""
    if condition is not None and condition == plan.condition:
        expected = names[0] in plan.targets
    else:
        expected = (names, variable, condition) == (plan.targets, plan.variable, plan.condition)
    if not expected:
        raise InvalidNextException(
            "Based on static analysis of the code, step *%s* was expected to transition to "
            "step(s) *%s*. However, when the code was executed, self.next() was called with *%s*. "
            "Make sure there is only one unconditional self.next() call in the end of your step."
            % (plan.step, _shown(plan.targets, plan.variable), _shown(names, variable))
        )


def _shown(names, variable):
    shown = ", ".join(names) or "nothing"
    return "%s (foreach `%s`)" % (shown, variable) if variable else shown


def _choose(flow, step, targets, condition, variable):
    """Follows the one step that an artifact says."""
    invalid = "Step *%s* has an invalid self.next() transition. " % step
    if len(targets) != 1 or not isinstance(targets[0], dict) or not targets[0]:
        raise InvalidNextException(
            invalid + "When using 'condition', the transition must be to a single, non-empty "
            "dictionary mapping condition values to step methods."
        )
    if not isinstance(condition, str):
        raise InvalidNextException(invalid + "The argument to 'condition' must be a string.")
    if variable is not None:
        raise InvalidNextException(
            invalid + "Switch statements cannot be combined with foreach or num_parallel."
        )
    cases = targets[0]
    try:
        value = getattr(flow, condition)
    except AttributeError:
        raise InvalidNextException(
            "Condition variable *self.%s* in step *%s* does not exist. Make sure you set self.%s "
            "in this step." % (condition, step, condition)
        ) from None
    if value not in cases:
        raise RuntimeError(
            "Switch condition variable '%s' has value '%s' which is not in the available cases: %s"
            % (condition, value, list(cases))
        )
    chosen = _name(flow, step, 1, cases[value])
    check([chosen], None, condition)
    flow._transition = ([chosen], None)
    flow._chosen = chosen


def _name(flow, step, number, target):
    try:
        name = target.__func__.__name__
    except AttributeError:
        raise InvalidNextException(
            "In step *%s* the %d. argument in self.next() is not a function. Make sure all "
            "arguments in self.next() are methods of the Flow class." % (step, number)
        ) from None
    if not hasattr(flow, name):
        raise InvalidNextException(
            "Step *%s* specifies a self.next() transition to an unknown step, *%s*." % (step, name)
        )
    return name


def _split(flow, step, names, variable):
    if not isinstance(variable, str):
        raise InvalidNextException(
            "Step *%s* has an invalid self.next() transition. The argument to 'foreach' must be "
            "a string." % step
        )
    if len(names) != 1:
        raise InvalidNextException(
            "Step *%s* has an invalid self.next() transition. Specify exactly one target for "
            "'foreach'." % step
        )
    try:
        elements = getattr(flow, variable)
    except AttributeError:
        raise InvalidNextException(
            "Foreach variable *self.%s* in step *%s* does not exist. Check your variable."
            % (variable, step)
        ) from None
    try:
        values = [shown(element) for element in elements]
    except Exception as error:
        raise InvalidNextException(
            "Foreach variable *self.%s* in step *%s* is not iterable. Please check details: %s"
            % (variable, step, error)
        ) from None
    if not values and not plan.may_be_empty:
        raise InvalidNextException(
            "Foreach iterator over *%s* in step *%s* produced zero splits. Check your variable."
            % (variable, step)
        )
    flow._foreach_values = values
    flow._foreach_num_splits = len(values)
    flow._foreach_var = variable


def shown(element):
    """A foreach element as Metaflow shows it."""
    if not isinstance(element, (str, int, float)):
        import reprlib

        element = reprlib.Repr().repr(element)
    return str(element)[:VALUE_MAX]
