"""Metaflow's exceptions, under its module name.

The wrapper is pickled into artifacts; official Metaflow unpickles ours and we
unpickle theirs, so class name, module and state are the same.
"""

import sys

METAFLOW_EXIT_DISALLOW_RETRY = 202
METAFLOW_EXIT_ALLOW_RETRY = 203

MODULE = "metaflow.exception"


class MetaflowExceptionWrapper(Exception):
    """An exception as an artifact: `exception`, `type` and `stacktrace` are strings."""

    def __init__(self, exc=None):
        if exc is not None:
            self.exception = str(exc)
            self.type = "%s.%s" % (exc.__class__.__module__, exc.__class__.__name__)
            self.stacktrace = None
            if exc.__traceback__ is not None:
                from . import failures

                self.stacktrace = failures.text(exc)

    def __reduce__(self):
        return MetaflowExceptionWrapper, (None,), self.__dict__

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        self.__dict__ = state

    def __repr__(self):
        return str(self)

    def __str__(self):
        if self.stacktrace:
            return self.stacktrace
        return "[no stacktrace]\n%s: %s" % (self.type, self.exception)


class MetaflowException(Exception):
    """Base of all that Metaflow raises itself."""

    headline = "Flow failed"

    def __init__(self, msg="", lineno=None, source_file=None):
        self.message = msg
        self.line_no = lineno
        self.source_file = source_file
        super().__init__()

    def __str__(self):
        prefix = ""
        if self.source_file:
            prefix = "%s: " % self.source_file
        if self.line_no:
            prefix = "line %d: " % self.line_no
        return prefix + self.message


class ParameterFieldFailed(MetaflowException):
    headline = "Parameter field failed"

    def __init__(self, name, field):
        cause = sys.exc_info()[1]
        detail = "" if cause is None else "\n\n%s: %s" % (type(cause).__name__, cause)
        super().__init__(
            "The %s of the parameter `%s` could not be computed.%s" % (field, name, detail)
        )


class ParameterFieldTypeMismatch(MetaflowException):
    headline = "Parameter field with a mismatching type"


class ExternalCommandFailed(MetaflowException):
    headline = "External command failed"


class MetaflowNotFound(MetaflowException):
    headline = "Object not found"


class MetaflowNamespaceMismatch(MetaflowException):
    headline = "Object not in the current namespace"

    def __init__(self, namespace):
        super().__init__("Object not in namespace '%s'" % namespace)


class MetaflowInvalidPathspec(MetaflowException):
    headline = "Invalid pathspec"


class MetaflowInternalError(MetaflowException):
    headline = "Internal error"


class MetaflowTaggingError(MetaflowException):
    headline = "Tagging error"


class MetaflowUnknownUser(MetaflowException):
    headline = "Unknown user"

    def __init__(self):
        super().__init__(
            "Metaflow could not determine your user name based on "
            "environment variables ($USERNAME etc.)"
        )


class InvalidDecoratorAttribute(MetaflowException):
    headline = "Unknown decorator attribute"

    def __init__(self, deconame, attr, defaults):
        super().__init__(
            "Decorator '%s' does not support the attribute '%s'. "
            "These attributes are supported: %s." % (deconame, attr, ", ".join(defaults))
        )


class CommandException(MetaflowException):
    headline = "Invalid command"


class MetaflowDataMissing(MetaflowException):
    headline = "Data missing"


class UnhandledInMergeArtifactsException(MetaflowException):
    headline = "Unhandled artifacts in merge"

    def __init__(self, msg, unhandled):
        super().__init__(msg)
        self.artifact_names = unhandled


class MissingInMergeArtifactsException(MetaflowException):
    headline = "Missing artifacts in merge"

    def __init__(self, msg, unhandled):
        super().__init__(msg)
        self.artifact_names = unhandled


PUBLIC = {
    name: value
    for name, value in list(globals().items())
    if name.startswith("METAFLOW_EXIT_")
    or (isinstance(value, type) and issubclass(value, Exception))
}
"""What `metaflow.exception` holds."""

for _class in PUBLIC.values():
    if isinstance(_class, type):
        _class.__module__ = MODULE


class TimeoutException(MetaflowException):
    """Raised in user code when a step has run for the time that `@timeout` gave it."""

    headline = "@timeout"


class FailureHandledByCatch(MetaflowException):
    """Stands for a failure that no exception told of."""

    headline = "Task execution failed but @catch handled it"

    def __init__(self, retry_count):
        super().__init__(
            "Task execution kept failing over %d attempts. "
            "Your code did not raise an exception. Something "
            "in the execution environment caused the failure." % retry_count
        )


class InvalidNextException(MetaflowException):
    """`self.next` was called in a way that does not match the plan."""

    headline = "Invalid self.next() transition detected"


class UnpicklableArtifactException(MetaflowException):
    """An artifact cannot be stored."""

    headline = "Cannot pickle artifact"


class ArtifactNameException(UnpicklableArtifactException):
    """An artifact cannot be stored under its name."""

    headline = "Invalid artifact name"


class ArtifactLoadException(MetaflowException):
    """An artifact is in the store but this interpreter cannot make an object of it."""

    headline = "Cannot load artifact"


TimeoutException.__module__ = "metaflow.plugins.timeout_decorator"
FailureHandledByCatch.__module__ = "metaflow.plugins.catch_decorator"
InvalidNextException.__module__ = "metaflow.flowspec"
UnpicklableArtifactException.__module__ = "metaflow.datastore.exceptions"


class Fault(BaseException):
    """Something else than user code failed; `exit` is the shim's exit code for it."""

    def __init__(self, exit, message):
        super().__init__(message)
        self.exit = exit
        self.message = message


class TaskOver(BaseException):
    """Ends the flow file where it called its flow: not an `Exception`, so that no handler stops it."""


class CopyOver(BaseException):
    """Ends a process that user code forked, once it has left the step: the task is the process that was started.

    `error` is what it left the step with.
    """

    def __init__(self, error=None):
        super().__init__()
        self.error = error
