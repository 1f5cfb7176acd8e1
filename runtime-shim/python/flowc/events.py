"""Names of events that belong to a branch of a project."""

from .current import current


class NamespacedEventName:
    """An event's name that is known once project and branch are; called, it says it.

    Metaflow gives a function here too, which its `ArgoEvent` calls.
    """

    def __init__(self, name):
        self.name = name

    def __call__(self, context=None):
        project, branch = current.get("project_name"), current.get("branch_name")
        inner = [project, branch] if project and branch else []
        return ".".join(["mfns"] + inner + [self.name])

    def __repr__(self):
        return "namespaced_event_name(%r)" % self.name


def namespaced_event_name(event_name):
    """The name of an event that each branch of each project has for itself."""
    if not isinstance(event_name, str):
        raise ValueError("event_name should be a string not %s" % type(event_name))
    return NamespacedEventName(event_name)
