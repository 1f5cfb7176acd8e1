"""CronWorkflows: a tick comes from outside, so that no test waits for a minute to pass."""

import time

from subset import CRON_SPEC, Refused, check

TICK = "flowc-bed/tick"


class Cron:
    """The schedules of a namespace."""

    def __init__(self, api):
        self.api = api

    def look(self):
        """Starts a Workflow where the annotation asks for a tick, unless the schedule says not to."""
        for schedule in self.api.list("cronworkflows", ""):
            metadata, spec = schedule["metadata"], schedule["spec"]
            if TICK not in metadata.get("annotations", {}):
                continue
            self.api.patch("cronworkflows", metadata["name"], {"metadata": {"annotations": {TICK: None}}})
            try:
                check(spec, CRON_SPEC, "spec")
            except Refused as why:
                self.say(metadata["name"], f"the stand-in for Argo's controller refuses {why}")
                continue
            held = spec.get("concurrencyPolicy") == "Forbid" and self.active(metadata["uid"])
            if not spec.get("suspend") and not held:
                self.start(metadata, spec)

    def active(self, uid):
        """Whether a Workflow that the schedule owns has not ended."""
        labels = "workflows.argoproj.io/cron-workflow,workflows.argoproj.io/completed!=true"
        found = self.api.list("workflows", labels)
        return any(owner["uid"] == uid for one in found for owner in one["metadata"].get("ownerReferences", []))

    def start(self, metadata, spec):
        """The Workflow of a tick."""
        self.api.create("workflows", {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "name": f"{metadata['name']}-{int(time.time())}",
                "labels": {"workflows.argoproj.io/cron-workflow": metadata["name"]},
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": metadata["name"],
                    "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True,
                }],
            },
            "spec": spec["workflowSpec"],
        })

    def say(self, name, message):
        """As a condition, where Argo puts it too."""
        condition = {"type": "SpecError", "status": "True", "message": message}
        self.api.patch("cronworkflows", name, {"status": {"conditions": [condition]}})
