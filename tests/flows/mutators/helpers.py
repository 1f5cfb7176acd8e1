"""Decorators of the user's own in another file."""

from metaflow import USER_SKIP_STEP, UserStepDecorator, user_step_decorator


def words(text):
    """A parser of configurations."""
    return dict(word.split("=") for word in text.split())


class Log(UserStepDecorator):
    """Tells what it was asked."""

    def pre_step(self, step_name, flow, inputs=None):
        flow.logged = ["pre " + step_name]

    def post_step(self, step_name, flow, exception=None):
        flow.logged.append("post " + step_name)
        return exception


@user_step_decorator
def timing(step_name, flow, inputs, attributes):
    flow.label = attributes.get("label")
    yield
    flow.ended = step_name


@user_step_decorator
def skip(step_name, flow, inputs):
    flow.skipped = step_name
    yield USER_SKIP_STEP


@user_step_decorator
def catching(step_name, flow, inputs):
    try:
        yield
    except ValueError as error:
        flow.caught = str(error)
