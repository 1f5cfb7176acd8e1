"""What flowc prints, and nothing else: everything outside is refused by name."""

import re


class Refused(Exception):
    """A manifest holds what flowc does not print."""


ANY = object()
NAMED_VALUES = [{"name": ANY, "value": ANY}]
PARAMETERS = {"parameters": NAMED_VALUES}
CONTAINER = {
    "name": ANY, "image": ANY, "imagePullPolicy": ANY, "command": ANY, "args": ANY, "env": NAMED_VALUES,
    "envFrom": [{"secretRef": {"name": ANY}}], "ports": [{"containerPort": ANY}], "resources": ANY, "volumeMounts": ANY,
    "securityContext": ANY,
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
    "volumes": [{"name": ANY, "emptyDir": ANY, "persistentVolumeClaim": {"claimName": ANY}}],
    "initContainers": [CONTAINER],
    "container": CONTAINER,
    "suspend": {"duration": ANY},
    "dag": {"tasks": [{
        "name": ANY, "depends": ANY, "when": ANY, "template": ANY, "withSequence": {"count": ANY}, "arguments": PARAMETERS,
        "continueOn": {"error": ANY, "failed": ANY},
    }]},
}
TEMPLATE_SPEC = {
    "entrypoint": ANY,
    "onExit": ANY,
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

EVENTS_POD = {"serviceAccountName": ANY, "container": {"resources": ANY, "securityContext": ANY}}
EVENT_SOURCE_SPEC = {"eventBusName": ANY, "template": EVENTS_POD, "resource": ANY, "webhook": ANY}
RESOURCE_SPEC = {
    "namespace": ANY, "group": ANY, "version": ANY, "resource": ANY, "eventTypes": ANY,
    "filter": {
        "labels": [{"key": ANY, "operation": ANY, "value": ANY}],
        "fields": [{"key": ANY, "operation": ANY, "value": ANY}],
    },
}
SENSOR_SPEC = {
    "eventBusName": ANY,
    "template": EVENTS_POD,
    "dependencies": [{
        "name": ANY, "eventSourceName": ANY, "eventName": ANY,
        "filters": {"data": [{"path": ANY, "type": ANY, "comparator": ANY, "value": ANY}]},
    }],
    "triggers": [{
        "template": {
            "name": ANY, "conditions": ANY, "conditionsReset": [{"byTime": {"cron": ANY, "timezone": ANY}}],
            "k8s": {
                "operation": ANY,
                "source": {"resource": ANY},
                "parameters": [{
                    "src": {"dependencyName": ANY, "dataKey": ANY, "dataTemplate": ANY},
                    "dest": ANY,
                }],
            },
        },
        "retryStrategy": {"steps": ANY, "duration": ANY, "factor": ANY},
    }],
}

RETRY = re.compile(r"lastRetry\.status == 'Error' \|\| asInt\(lastRetry\.exitCode\) in \[(\d+(?:,\d+)*)\]")
DEPENDS = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*)\.(Succeeded|Skipped)")
WHEN = re.compile(r"'\{\{tasks\.[-\w]+\.outputs\.parameters\.next\}\}' == '\w+'")
TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
TAGS = [re.compile(pattern) for pattern in (
    r"=toBase64\(workflow\.parameters\['([-\w]+)'\]\)",
    r"=workflow\.parameters\['flowc_run'\] == '' \? 'argo:' \+ workflow\.name : 'id:' \+ workflow\.parameters\['flowc_run'\]",
    r"inputs\.parameters\.(p)",
    r"(item)",
    r"workflow\.(uid)",
    r"tasks\.([-\w]+)\.outputs\.parameters\.(count|next)",
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
        if len(template.keys() & {"dag", "container", "suspend"}) != 1:
            raise Refused(f"{where} is not one of a graph, a container and a pause")
        if template.get("suspend", {"duration": "0"}) != {"duration": "0"}:
            raise Refused(f"the pause of {where}")
        if "container" in template:
            strategy = template.get("retryStrategy", {})
            if strategy.get("retryPolicy") != "Always" or not RETRY.fullmatch(strategy.get("expression", "")):
                raise Refused(f"retryStrategy of {where}")
        for task in template.get("dag", {}).get("tasks", []):
            if task["template"] not in names:
                raise Refused(f"{where} names no template: {task['template']}")
            condition(task.get("depends", ""))
            if "when" in task and ("withSequence" in task or not WHEN.fullmatch(task["when"])):
                raise Refused(f"{where} has a task with when: {task['when']}")
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


def condition(depends):
    """`(a.Succeeded || b.Succeeded) && c.Skipped` as a tree: ("&&", …), ("||", …), (task, word); None if nothing is said."""
    if not depends:
        return None
    tokens = re.findall(r"[()]|[^\s()]+", depends)
    tree = operation(tokens, depends)
    if tokens:
        raise Refused(f"depends: {depends}")
    return tree


def operation(tokens, depends):
    """Terms joined by one operator: without parentheses, the two are not mixed."""
    terms, operators = [term(tokens, depends)], set()
    while tokens and tokens[0] != ")":
        operators.add(tokens.pop(0))
        terms.append(term(tokens, depends))
    if not operators:
        return terms[0]
    if len(operators) > 1 or not operators <= {"&&", "||"}:
        raise Refused(f"depends: {depends}")
    return (operators.pop(), *terms)


def term(tokens, depends):
    """A word about a task, or what stands in parentheses."""
    token = tokens.pop(0) if tokens else ""
    if token == "(":
        inner = operation(tokens, depends)
        if not tokens or tokens.pop(0) != ")":
            raise Refused(f"depends: {depends}")
        return inner
    if not (word := DEPENDS.fullmatch(token)):
        raise Refused(f"depends: {depends}")
    return word.groups()


def tasks_of(tree):
    """The tasks in a condition, each once."""
    if tree is None:
        return []
    if tree[0] not in ("&&", "||"):
        return [tree[0]]
    return list(dict.fromkeys(one for inner in tree[1:] for one in tasks_of(inner)))


def holds(tree, phases):
    """Whether a condition holds, once all its tasks have ended."""
    if tree is None:
        return True
    if tree[0] not in ("&&", "||"):
        return phases[tree[0]] == tree[1]
    every = all if tree[0] == "&&" else any
    return every(holds(inner, phases) for inner in tree[1:])


def retried_codes(strategy):
    """The exit codes after which a container is started again."""
    return {int(code) for code in RETRY.fullmatch(strategy["expression"]).group(1).split(",")}
