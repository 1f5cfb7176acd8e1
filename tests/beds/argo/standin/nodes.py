"""The tree of nodes that a Workflow's status holds."""

import datetime

from text import fnv32a

DONE = {"Succeeded", "Failed", "Error", "Skipped", "Omitted"}
BAD = {"Failed", "Error"}


def now():
    """The time, as Kubernetes writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(timestamp):
    """Seconds since a time that `now` wrote."""
    then = datetime.datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    return (datetime.datetime.now(datetime.UTC) - then).total_seconds()


class Nodes:
    """The nodes of one Workflow, by their names."""

    def __init__(self, workflow):
        self.workflow = workflow["metadata"]["name"]
        kept = workflow.get("status", {}).get("nodes", {})
        self.by_name = {node["name"]: node for node in kept.values()}
        self.by_id = {node["id"]: node for node in kept.values()}
        self.changed = False

    def id(self, name):
        """The root has the Workflow's name, all others have hashes."""
        return name if name == self.workflow else f"{self.workflow}-{fnv32a(name)}"

    def get(self, name):
        """The node, or None."""
        return self.by_name.get(name)

    def add(self, name, kind, phase, template, boundary, **more):
        """A new node."""
        short = name.rsplit(".", 1)[-1]
        node = {
            "id": self.id(name), "name": name, "displayName": short, "type": kind, "phase": phase,
            "templateName": template, "templateScope": f"namespaced/{self.workflow}", "startedAt": now(), "children": [],
            **({"boundaryID": self.id(boundary)} if boundary else {}), **more,
        }
        if phase in DONE:
            node["finishedAt"] = now()
        self.by_name[name] = self.by_id[node["id"]] = node
        self.changed = True
        return node

    def mark(self, node, phase, message=None):
        """Sets phase and message."""
        if message is not None and node.get("message", "") != message:
            node["message"] = message
            self.changed = True
        if node["phase"] != phase:
            node["phase"] = phase
            self.changed = True
        if phase in DONE and "finishedAt" not in node:
            node["finishedAt"] = now()
            self.changed = True
        return node

    def connect(self, parent, child):
        """Draws a line."""
        child = self.id(child)
        if child not in parent["children"]:
            parent["children"].append(child)
            self.changed = True

    def children(self, node):
        """The nodes below, as far as they are there."""
        return [self.by_id[child] for child in node["children"] if child in self.by_id]

    def attempts(self, retry):
        """The pods of a Retry node, in their order."""
        return [node for node in self.children(retry) if node.get("nodeFlag", {}).get("retried")]
