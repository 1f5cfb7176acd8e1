"""What is done at each look at the cluster."""

import time

from cron import Cron
from events import Events
from graph import Graph, parameters
from nodes import BAD, DONE, Nodes, now
from pods import Pods
from subset import WORKFLOW_SPEC, Refused, check, check_template

RUNNING = "workflows.argoproj.io/completed!=true"
OPEN_PODS = "workflows.argoproj.io/completed=false"
# Seconds between two looks at what starts Workflows: each takes several requests, and pods come and go meanwhile.
STARTERS = 1


class Controller:
    """All Workflows of a namespace."""

    def __init__(self, api, wait_image):
        self.api, self.wait_image = api, wait_image
        self.cron, self.events = Cron(api), Events(api)
        self.looked = 0

    def look(self):
        """Everything that has not ended goes one step on; what is known is in the cluster alone."""
        if time.monotonic() - self.looked >= STARTERS:
            self.looked = time.monotonic()
            self.cron.look()
            self.events.look()
        workflows = self.api.list("workflows", RUNNING)
        if not workflows:
            return
        pods = {}
        for pod in self.api.list("pods", OPEN_PODS):
            metadata = pod["metadata"]
            by_id = pods.setdefault(metadata["labels"].get("workflows.argoproj.io/workflow"), {})
            by_id[metadata.get("annotations", {}).get("workflows.argoproj.io/node-id")] = pod
        for workflow in workflows:
            live = pods.get(workflow["metadata"]["name"], {})
            self.operate(workflow, live)

    def operate(self, workflow, live):
        """One Workflow."""
        nodes = Nodes(workflow)
        status = dict(workflow.get("status", {}))
        pods = None
        try:
            phase, pods = self.walk(workflow, status, nodes, live)
            message = ""
            if workflow["spec"].get("shutdown") and phase in BAD:
                message = f"Stopped with strategy '{workflow['spec']['shutdown']}'"
        except Refused as why:
            phase, message = "Error", f"the stand-in for Argo's controller refuses {why}"
        if nodes.changed or status.get("phase") != phase:
            self.keep(nodes, status, phase, message)
        if pods:
            pods.let_go()

    def keep(self, nodes, status, phase, message):
        """Writes the status down, which is all that is known of a Workflow."""
        body = {"status": {**status, "phase": phase, "message": message, "nodes": nodes.by_id}}
        labels = {"workflows.argoproj.io/phase": phase}
        labels.update(status.get("storedWorkflowTemplateSpec", {}).get("workflowMetadata", {}).get("labels", {}))
        if phase in DONE:
            labels["workflows.argoproj.io/completed"] = "true"
            body["status"]["finishedAt"] = now()
        self.api.patch("workflows", nodes.workflow, {**body, "metadata": {"labels": labels}})

    def walk(self, workflow, status, nodes, live):
        """Pods first, then the graph, then what follows its end; the phase, and the pods."""
        check(workflow["spec"], WORKFLOW_SPEC, "spec")
        if "storedWorkflowTemplateSpec" not in status:
            # A run keeps the template with which it started.
            name = workflow["spec"]["workflowTemplateRef"]["name"]
            template = self.api.get("workflowtemplates", name)
            if template is None:
                raise Refused(f"the missing template {name}")
            check_template(template["spec"])
            status.update(storedWorkflowTemplateSpec=template["spec"], startedAt=now())
        spec = status["storedWorkflowTemplateSpec"]
        values = parameters(workflow, spec)
        pods = Pods(self.api, workflow, spec, values, nodes, live, self.wait_image)
        graph = Graph(workflow, spec, values, nodes, pods)
        pods.reconcile(graph.shutdown, graph.templates)
        phase = graph.walk()["phase"]
        if "onExit" in spec and phase in DONE and graph.exit()["phase"] not in DONE:
            phase = "Running"
        return phase, pods
