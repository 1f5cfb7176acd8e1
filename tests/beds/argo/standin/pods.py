"""Pods: made from templates as Argo makes them, as far as a task can see it, and read back.

Argo runs an executor beside every task, which reads output parameters from files. Here only a task that reports a count gets
a companion, which shares the volume and waits; when the task has ended, it is asked for the file by `kubectl exec`.
"""

import json

from api import ApiError
from nodes import DONE
from text import Scope, fnv32a, merge, substitute

# What the API server says of a pod that may not be: by permission, by policy, by its form.
REFUSED = {400, 403, 422}

WAIT = "import os, time\nwhile not os.path.exists('/flowc/.read'): time.sleep(0.2)"
READ = "import json, os; print(json.dumps(open({path!r}).read() if os.path.exists({path!r}) else None))"
RELEASE = "open('/flowc/.read', 'w').close()"


class Pods:
    """The pods of one Workflow."""

    def __init__(self, api, workflow, spec, parameters, nodes, live, wait_image):
        self.api, self.workflow, self.spec, self.nodes = api, workflow, spec, nodes
        self.parameters, self.live, self.wait_image = parameters, live, wait_image
        self.name = workflow["metadata"]["name"]
        self.ended = []

    def keep(self, node, template, index):
        """Makes the pod of a node that has not ended, if it is not there.

        So a pod that was deleted comes again under its name, with the same number of retries, as Argo does when a pod is
        missing soon after its start, or when its executor had no time to report.
        """
        if node["id"] in self.live:
            return
        try:
            self.api.create("pods", self.manifest(node, template, index))
            self.live[node["id"]] = None
        except ApiError as error:
            if error.code not in REFUSED:
                raise
            self.nodes.mark(node, "Error", str(error))

    def manifest(self, node, template, index):
        """The pod of an attempt."""
        defaults = self.spec.get("templateDefaults", {})
        scope = Scope(self.name, self.parameters, index, uid=self.workflow["metadata"]["uid"])
        merged = substitute(merge(defaults, {key: template[key] for key in template if key != "dag"}), scope)
        metadata = merged.get("metadata", {})
        mounts = [mount for mount in merged["container"].get("volumeMounts", []) if mount["name"] == "flowc"]
        containers = [{**merged["container"], "name": "main"}]
        if "outputs" in merged:
            containers.insert(0, {
                "name": "wait", "image": self.wait_image, "command": ["python3", "-c", WAIT], "volumeMounts": mounts,
                "securityContext": merged["container"].get("securityContext", {}),
            })
        spec = {
            "restartPolicy": "Never",
            "serviceAccountName": merged.get("serviceAccountName", self.spec.get("serviceAccountName")),
            "nodeSelector": merged.get("nodeSelector", self.spec.get("nodeSelector")),
            "imagePullSecrets": self.spec.get("imagePullSecrets"),
            "tolerations": merged.get("tolerations"),
            "activeDeadlineSeconds": merged.get("activeDeadlineSeconds"),
            "volumes": merged.get("volumes"),
            "initContainers": merged.get("initContainers"),
            "containers": containers,
        }
        owner = self.workflow["metadata"]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{self.name}-{template['name']}"[: 253 - 11] + f"-{fnv32a(node['name'])}",
                "labels": {
                    "workflows.argoproj.io/workflow": self.name, "workflows.argoproj.io/completed": "false",
                    **self.spec.get("podMetadata", {}).get("labels", {}), **metadata.get("labels", {}),
                },
                "annotations": {
                    "workflows.argoproj.io/node-id": node["id"], "workflows.argoproj.io/node-name": node["name"],
                    "kubectl.kubernetes.io/default-container": "main", **metadata.get("annotations", {}),
                },
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": owner["name"], "uid": owner["uid"],
                    "controller": True, "blockOwnerDeletion": True,
                }],
            },
            "spec": {key: value for key, value in spec.items() if value is not None},
        }

    def reconcile(self, shutdown, templates):
        """Takes over what became of the pods."""
        for node in list(self.nodes.by_name.values()):
            if node["type"] != "Pod":
                continue
            pod = self.live.get(node["id"])
            stopped = shutdown and not node["name"].startswith(f"{self.name}.onExit")
            template = templates[node["templateName"]]
            if node["phase"] in DONE:
                if pod is not None:
                    self.ended.append((pod, template))
                continue
            if pod is None:
                if stopped:
                    self.nodes.mark(node, "Failed", f"workflow shutdown with strategy:  {shutdown}")
                continue
            if stopped:
                self.api.delete("pods", pod["metadata"]["name"])
                self.nodes.mark(node, "Failed", f"workflow shutdown with strategy:  {shutdown}")
                continue
            self.read(node, pod, template)
            if node["phase"] in DONE:
                self.ended.append((pod, template))

    def let_go(self):
        """Lets companions end, and marks the pods as those that are not looked for again; their ends must have been kept."""
        for pod, template in self.ended:
            name = pod["metadata"]["name"]
            if "outputs" in template and pod["status"].get("phase") == "Running":
                self.api.execute(name, "wait", RELEASE)
            self.api.patch("pods", name, {"metadata": {"labels": {"workflows.argoproj.io/completed": "true"}}})

    def read(self, node, pod, template):
        """One pod that is there."""
        status = pod.get("status", {})
        init = {one["name"]: one for one in status.get("initContainerStatuses", [])}
        main = next((one for one in status.get("containerStatuses", []) if one["name"] == "main"), {})
        ended = main.get("state", {}).get("terminated")
        if ended:
            node["outputs"] = {"exitCode": str(ended["exitCode"])}
        if status.get("phase") == "Failed" or (ended and ended["exitCode"] != 0):
            self.nodes.mark(node, *failure(status, {**init, "main": main}))
        elif ended:
            if self.outputs(node, pod, template):
                self.nodes.mark(node, "Succeeded", "")
            elif status.get("phase") == "Succeeded":
                self.nodes.mark(node, "Error", "the companion ended before it was asked")
            # Else the companion did not answer, and is asked again at the next look.
        elif status.get("phase") == "Running":
            self.nodes.mark(node, "Running", "")
        else:
            self.nodes.mark(node, "Pending", waiting(status))

    def outputs(self, node, pod, template):
        """Takes what the task wrote into its files; whether all could be read."""
        found = []
        for output in template.get("outputs", {}).get("parameters", []):
            source = output["valueFrom"]
            answer = self.api.execute(pod["metadata"]["name"], "wait", READ.format(path=source["path"]))
            if answer is None:
                return False
            text = json.loads(answer)
            if text is None:
                text = source["default"]
            found.append({"name": output["name"], "value": text.rstrip("\n"), "valueFrom": source})
        if found:
            node["outputs"]["parameters"] = found
        return True


def failure(status, containers):
    """Phase and message of a failed pod, in Argo's words."""
    if status.get("message"):
        return "Failed", status["message"]
    for name, container in containers.items():
        state = container.get("state", {})
        if "waiting" in state:
            waits = state["waiting"]
            why = f"{waits.get('reason', '')}: {waits.get('message', '')}"
            return "Error", f"Pod failed before {name} container starts due to {why}"
        ended = state.get("terminated")
        if ended and ended["exitCode"] != 0:
            message = f"{name}: {ended.get('reason', '')} (exit code {ended['exitCode']})"
            return "Failed", f"{message}: {ended['message']}" if ended.get("message") else message
    return "Failed", "pod failed for unknown reason"


def waiting(status):
    """Why a pod has not started."""
    for container in status.get("containerStatuses", []):
        waits = container.get("state", {}).get("waiting")
        if waits:
            return f"{waits['reason']}: {waits['message']}" if waits.get("message") else waits.get("reason", "")
    for condition in status.get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            return f"Unschedulable: {condition.get('message', '')}"
    return ""
