"""What flowc prints, and nothing else: everything outside is refused by name."""

import re


class Refused(Exception):
    """A manifest holds what flowc does not print."""


ANY = object()
NAMED_VALUES = [{"name": ANY, "value": ANY}]
PARAMETERS = {"parameters": NAMED_VALUES}
CONTAINER = {
    "name": ANY, "image": ANY, "imagePullPolicy": ANY, "command": ANY, "args": ANY, "env": NAMED_VALUES,
    "envFrom": [{"secretRef": {"name": ANY}}], "resources": ANY, "volumeMounts": ANY, "securityContext": ANY,
}
TEMPLATE = {
    "name": ANY,
    "metadata": {"labels": ANY, "annotations": ANY},
    "inputs": {"parameters": [{"name": ANY}]},
    "outputs": {"parameters": [{"name": ANY, "valueFrom": {"path": ANY, "default": ANY}}]},
    "retryStrategy": {
        "limit": ANY, "retryPolicy": ANY, "backoff": {"duration": ANY, "factor": ANY}, "expression": ANY,
    },
    "activeDeadlineSeconds": ANY,
    "serviceAccountName": ANY,
    "nodeSelector": ANY,
    "tolerations": ANY,
    "volumes": [{"name": ANY, "emptyDir": ANY}],
    "initContainers": [CONTAINER],
    "container": CONTAINER,
    "dag": {"tasks": [{
        "name": ANY, "depends": ANY, "template": ANY, "withSequence": {"count": ANY}, "arguments": PARAMETERS,
    }]},
}
TEMPLATE_SPEC = {
    "entrypoint": ANY,
    "serviceAccountName": ANY,
    "parallelism": ANY,
    "imagePullSecrets": ANY,
    "nodeSelector": ANY,
    "arguments": PARAMETERS,
    "workflowMetadata": {"labels": ANY},
    "podMetadata": {"labels": ANY},
    "templateDefaults": TEMPLATE,
    "templates": [TEMPLATE],
}
WORKFLOW_SPEC = {"workflowTemplateRef": {"name": ANY}, "arguments": PARAMETERS, "shutdown": ANY}
CRON_SPEC = {
    "schedules": ANY, "timezone": ANY, "startingDeadlineSeconds": ANY, "concurrencyPolicy": ANY, "suspend": ANY,
    "successfulJobsHistoryLimit": ANY, "failedJobsHistoryLimit": ANY,
    "workflowSpec": {"workflowTemplateRef": {"name": ANY}},
}

RETRY = re.compile(r"lastRetry\.status == 'Error' \|\| asInt\(lastRetry\.exitCode\) in \[(\d+(?:,\d+)*)\]")
DEPENDS = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*)\.(Succeeded|Skipped)")
TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
TAGS = [re.compile(pattern) for pattern in (
    r"=toBase64\(workflow\.parameters\['([-\w]+)'\]\)",
    r"=workflow\.parameters\['flowc_run'\] == '' \? 'argo:' \+ workflow\.name : 'id:' \+ workflow\.parameters\['flowc_run'\]",
    r"inputs\.parameters\.(p)",
    r"(item)",
    r"tasks\.([-\w]+)\.outputs\.parameters\.count",
)]


def check(value, known, path):
    """Refuses the first field that is not in `known`."""
    if known is ANY:
        return
    if isinstance(known, list):
        for place, item in enumerate(value):
            check(item, known[0], f"{path}[{place}]")
        return
    if not isinstance(value, dict):
        raise Refused(f"{path} is no object")
    for key, inner in value.items():
        if key not in known:
            raise Refused(f"{path}.{key}")
        check(inner, known[key], f"{path}.{key}")


def check_template(spec):
    """Fields, references and expressions of a WorkflowTemplate's spec."""
    check(spec, TEMPLATE_SPEC, "spec")
    names = {template["name"] for template in spec["templates"]}
    for template in spec["templates"]:
        where = f"the template {template['name']}"
        if ("dag" in template) == ("container" in template):
            raise Refused(f"{where} is neither a graph nor a container")
        if "container" in template:
            strategy = template.get("retryStrategy", {})
            if strategy.get("retryPolicy") != "Always" or not RETRY.fullmatch(strategy.get("expression", "")):
                raise Refused(f"retryStrategy of {where}")
        for task in template.get("dag", {}).get("tasks", []):
            if task["template"] not in names:
                raise Refused(f"{where} names no template: {task['template']}")
            alternatives(task.get("depends", ""))
    check_tags(spec, "spec")


def check_tags(value, path):
    """Refuses every tag that flowc does not write."""
    if isinstance(value, dict):
        for key, inner in value.items():
            check_tags(key, path)
            check_tags(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            check_tags(inner, f"{path}[{place}]")
    elif isinstance(value, str):
        for tag in TAG.findall(value):
            if not any(known.fullmatch(tag) for known in TAGS):
                raise Refused(f"{path} holds {{{{{tag}}}}}")
        if "{{" in TAG.sub("", value):
            raise Refused(f"{path} holds an open {{{{")


def alternatives(depends):
    """`a.Succeeded && b.Succeeded || c.Skipped` as a list of lists of (task, word)."""
    if not depends:
        return []
    found = []
    for part in depends.split("||"):
        terms = [DEPENDS.fullmatch(term.strip()) for term in part.split("&&")]
        if None in terms:
            raise Refused(f"depends: {depends}")
        found.append([term.groups() for term in terms])
    return found


def retried_codes(strategy):
    """The exit codes after which a container is started again."""
    return {int(code) for code in RETRY.fullmatch(strategy["expression"]).group(1).split(",")}
