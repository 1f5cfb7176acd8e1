"""How far a Workflow is, and what is to be started next: the graph is walked from its ends at each look."""

from nodes import BAD, DONE, age
from subset import Refused, condition, holds, retried_codes, tasks_of
from text import Scope, substitute


class Graph:
    """One look at one Workflow."""

    def __init__(self, workflow, spec, parameters, nodes, pods):
        self.workflow, self.spec, self.parameters = workflow, spec, parameters
        self.nodes, self.pods = nodes, pods
        self.templates = {template["name"]: template for template in spec["templates"]}
        self.shutdown = workflow["spec"].get("shutdown")

    def walk(self):
        """Goes as far as it can; the root node."""
        name = self.workflow["metadata"]["name"]
        return self.dag(name, self.templates[self.spec["entrypoint"]], None, None)

    def exit(self):
        """What runs when the graph has ended, also if the run was stopped; its node."""
        self.shutdown = None
        return self.dag(f"{self.workflow['metadata']['name']}.onExit", self.templates[self.spec["onExit"]], None, None)

    def dag(self, name, template, index, boundary):
        """A graph of tasks."""
        node = self.nodes.get(name)
        if node is None:
            node = self.nodes.add(name, "DAG", "Running", template["name"], boundary, **inputs(index))
        if node["phase"] in DONE:
            return node
        tasks = {task["name"]: task for task in template["dag"]["tasks"]}
        needs = {task: waits_for(tasks[task]) for task in tasks}
        ends = [task for task in tasks if not any(task in needed for needed in needs.values())]
        seen = set()
        for task in ends:
            self.task(name, task, tasks, needs, index, seen)
        phase = "Failed" if self.shutdown else self.assess(node, [f"{name}.{task}" for task in ends])
        return self.nodes.mark(node, phase)

    def task(self, dag, name, tasks, needs, index, seen):
        """A task, after those that it needs."""
        if name in seen:
            return
        seen.add(name)
        task, full = tasks[name], f"{dag}.{name}"
        node = self.nodes.get(full)
        if node is not None and node["phase"] in DONE:
            return
        for above in needs[name]:
            self.task(dag, above, tasks, needs, index, seen)
        if node is None and needs[name]:
            above = {one: self.nodes.get(f"{dag}.{one}") for one in needs[name]}
            phases = {one: found["phase"] if found else None for one, found in above.items()}
            if not DONE.issuperset(phases.values()):
                return
            if not holds(condition(task["depends"]), phases):
                if self.shutdown:
                    return
                omitted = "omitted: depends condition not met"
                self.nodes.add(full, "Skipped", "Omitted", task["template"], dag, message=omitted)
                self.hang(dag, full, needs[name])
                return
        if "withSequence" in task:
            self.sequence(dag, task, needs[name], index)
            return
        if node is None:
            self.hang(dag, full, needs[name])
            if "when" in task and not self.is_chosen(dag, task, needs[name]):
                return
        self.execute(full, task, index, dag)

    def is_chosen(self, dag, task, needed):
        """Whether a task's `when` is true; if not, the task is passed by."""
        when = substitute(task["when"], Scope(outputs=self.outputs(dag, needed)))
        found, wanted = when.split(" == ")
        if found == wanted:
            return True
        message = f"when '{when}' evaluated false"
        self.nodes.add(f"{dag}.{task['name']}", "Skipped", "Skipped", task["template"], dag, message=message)
        return False

    def outputs(self, dag, tasks):
        """What tasks that succeeded have reported."""
        nodes = {task: self.nodes.get(f"{dag}.{task}") for task in tasks}
        return {
            (task, output["name"]): output["value"]
            for task, node in nodes.items() if node["phase"] == "Succeeded"
            for output in node.get("outputs", {}).get("parameters", [])
        }

    def hang(self, dag, full, needed):
        """Draws lines to a new node: from what it waited for, else from the graph."""
        above = [self.nodes.get(dag)]
        if needed:
            above = [end for one in needed for end in self.outbound(self.nodes.get(f"{dag}.{one}"))]
        for parent in above:
            self.nodes.connect(parent, full)

    def sequence(self, dag, task, needed, index):
        """A task for each number below a count."""
        full = f"{dag}.{task['name']}"
        scope = Scope(outputs=self.outputs(dag, needed))
        count = int(substitute(task["withSequence"]["count"], scope))
        group = self.nodes.get(full)
        if group is None:
            self.hang(dag, full, needed)
            if count == 0:
                self.nodes.add(full, "Skipped", "Skipped", task["template"], dag, message="Skipped, empty params")
                return
            group = self.nodes.add(full, "TaskGroup", "Running", task["template"], dag)
        phases = []
        for number in range(count):
            one = f"{full}({number}:{number})"
            self.nodes.connect(group, one)
            child = self.execute(one, task, index, dag, str(number))
            phases.append(child["phase"] if child else "Running")
        if all(phase in DONE for phase in phases):
            bad = [phase for phase in phases if phase in BAD]
            self.nodes.mark(group, bad[-1] if bad else "Succeeded")

    def execute(self, full, task, index, dag, item=None):
        """What a task runs: a graph, or a container and its attempts."""
        arguments = task.get("arguments", {}).get("parameters", [])
        if arguments:
            index = substitute(arguments[0]["value"], Scope(index=index, item=item))
        template = self.templates[task["template"]]
        if "suspend" in template:
            # It ends as it begins.
            return self.nodes.get(full) or self.nodes.add(full, "Suspend", "Succeeded", template["name"], dag)
        if "dag" in template:
            return self.dag(full, template, index if arguments else None, dag)
        return self.retry(full, template, index if arguments else None, dag)

    def retry(self, name, template, index, boundary):
        """Attempts until one succeeds, or no other one is allowed."""
        node = self.nodes.get(name)
        if node is None:
            if self.shutdown:
                return None
            node = self.nodes.add(name, "Retry", "Running", template["name"], boundary, **inputs(index))
        if node["phase"] in DONE:
            return node
        attempts = self.nodes.attempts(node)
        if not attempts:
            self.attempt(node, template, index, boundary, 0)
            return node
        last = attempts[-1]
        if last["phase"] not in DONE:
            self.pods.keep(last, template, index)
            return node
        if last["phase"] not in BAD:
            return self.end(node, last, "")
        if self.shutdown:
            return self.nodes.mark(node, last["phase"], f"Stopped with strategy '{self.shutdown}'")
        strategy = template["retryStrategy"]
        limit, backoff = int(strategy["limit"]), strategy["backoff"]
        wait = int(backoff["duration"]) * int(backoff.get("factor", 1)) ** (len(attempts) - 1)
        if len(attempts) <= limit and age(last["finishedAt"]) < wait:
            return self.nodes.mark(node, node["phase"], f"Backoff for {wait} seconds")
        self.nodes.mark(node, node["phase"], "")
        if len(attempts) > limit:
            return self.end(node, last, "No more retries left")
        code = int(last.get("outputs", {}).get("exitCode", -1))
        if last["phase"] != "Error" and code not in retried_codes(strategy):
            return self.end(node, last, "retryStrategy.expression evaluated to false")
        self.attempt(node, template, index, boundary, len(attempts))
        return node

    def end(self, retry, last, message):
        """Attempts end as the last of them did."""
        if "outputs" in last:
            retry["outputs"] = last["outputs"]
        return self.nodes.mark(retry, last["phase"], message)

    def attempt(self, retry, template, index, boundary, number):
        """One pod more, unless the run has as many as it may have."""
        most = self.spec.get("parallelism")
        active = [node for node in self.nodes.by_name.values() if node["type"] == "Pod" and node["phase"] not in DONE]
        if most is not None and len(active) >= most:
            return
        name = f"{retry['name']}({number})"
        flag = {"nodeFlag": {"retried": True}}
        node = self.nodes.add(name, "Pod", "Pending", template["name"], boundary, **inputs(index), **flag)
        self.nodes.connect(retry, name)
        self.pods.keep(node, template, index)

    def outbound(self, node):
        """Where what follows a node is hung up."""
        if node["type"] == "TaskGroup":
            return [end for child in self.nodes.children(node) for end in self.outbound(child)] or [node]
        if node["type"] == "Retry":
            return self.nodes.attempts(node)[-1:] or [node]
        if node["type"] == "DAG":
            tasks = self.templates[node["templateName"]]["dag"]["tasks"]
            above = {one for task in tasks for one in waits_for(task)}
            ends = [self.nodes.get(f"{node['name']}.{task['name']}") for task in tasks if task["name"] not in above]
            return [end for one in ends if one is not None for end in self.outbound(one)] or [node]
        return [node]

    def assess(self, dag, ends):
        """The phase of a graph: that of its ends, each with that of what ran last above it."""
        phases = dict.fromkeys(ends, "")
        queue, seen = [(child, "Succeeded") for child in dag["children"]], set()
        while queue:
            child, phase = queue.pop(0)
            if (child, phase) in seen:
                continue
            seen.add((child, phase))
            node = self.nodes.by_id.get(child)
            if node is None or node["phase"] not in DONE:
                return "Running"
            if node["phase"] in BAD or node["phase"] == "Succeeded":
                phase = node["phase"]
            if node["name"] in phases and phases[node["name"]] not in BAD:
                phases[node["name"]] = phase
            below = node["children"]
            if node["type"] == "Retry":
                attempts = [attempt["id"] for attempt in self.nodes.attempts(node)]
                below = attempts[-1:] + [other for other in below if other not in attempts]
            queue += [(other, phase) for other in below]
        tasks = {f"{dag['name']}.{task['name']}": task for task in self.templates[dag["templateName"]]["dag"]["tasks"]}
        bad = [phase for end, phase in phases.items() if phase in BAD and "continueOn" not in tasks[end]]
        if bad:
            return bad[0]
        return "Running" if "" in phases.values() else "Succeeded"


def waits_for(task):
    """The tasks that a task waits for."""
    return tasks_of(condition(task.get("depends", "")))


def inputs(index):
    """The index path, as a node's inputs."""
    return {} if index is None else {"inputs": {"parameters": [{"name": "p", "value": index}]}}


def parameters(workflow, spec):
    """The run's parameters: what was given, over the defaults."""
    values = {one["name"]: one.get("value") for one in spec.get("arguments", {}).get("parameters", [])}
    for one in workflow["spec"].get("arguments", {}).get("parameters", []):
        values[one["name"]] = one["value"]
    for name, value in values.items():
        if value is None:
            raise Refused(f"spec.arguments.{name}.value is required")
    return values
