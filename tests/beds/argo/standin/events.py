"""Argo Events, for exactly the Sensors and EventSources that flowc prints and a webhook that a test speaks for.

A test posts to a webhook by an annotation of its EventSource, `flowc-bed/post: {"event": NAME, "body": …}`; what the body is
reaches the sensors as argo-events hands it over. Events that came are known to this program alone: whoever ends it loses
them, as with an event bus in memory. Triggers act as the service account of the Sensor's pods, and EventSources look with
theirs, so what they may not do fails.
"""

import json
import re
import sys

from api import ApiError
from subset import EVENT_SOURCE_SPEC, RESOURCE_SPEC, SENSOR_SPEC, Refused, check

POST = "flowc-bed/post"

# The two templates that flowc prints, which are matched to the letter and acted out by what they mean.
BRACES = (
    '{{- $payload := toJson .Input.body.payload -}}{{- if contains "{{" $payload -}}'
    '{{- replace "{{" "{\\\\u007b" $payload -}}{{- end -}}'
)
RUN = (
    '{{- $run := printf "argo:%s" .Input.body.metadata.name -}}'
    '{{- range dig "spec" "arguments" "parameters" (list) .Input.body -}}'
    '{{- if and (eq .name "flowc_run") .value -}}{{- $run = printf "id:%s" .value -}}{{- end -}}{{- end -}}'
    '{{- dict "run" $run | toJson -}}'
)


class Events:
    """The Sensors and EventSources of a namespace."""

    def __init__(self, api):
        self.api = api
        # Workflows as they were last seen, by event source; what has come, by sensor.
        self.seen, self.came = {}, {}

    def look(self):
        """Brings every event to the sensors that wait for it."""
        sources = self.api.list("eventsources", "")
        if not sources:
            return
        for source in sources:
            try:
                self.source(source)
            except Refused as why:
                self.say("eventsources", source, f"the stand-in for Argo Events refuses {why}")

    def source(self, source):
        """The events of one source since the last look."""
        metadata, spec = source["metadata"], source["spec"]
        check(spec, EVENT_SOURCE_SPEC, "spec")
        if post := metadata.get("annotations", {}).get(POST):
            self.api.patch("eventsources", metadata["name"], {"metadata": {"annotations": {POST: None}}})
            post = json.loads(post)
            if post["event"] not in spec.get("webhook", {}):
                raise Refused(f"the unknown event {post['event']}")
            self.dispatch(metadata["name"], post["event"], {"header": {}, "body": post["body"]})
        for event, watched in spec.get("resource", {}).items():
            check(watched, RESOURCE_SPEC, f"spec.resource.{event}")
            user = self.user(spec["template"])
            for old, new in self.updates((metadata["uid"], event), watched, user):
                data = {"type": "UPDATE", "body": new, "oldBody": old, "resource": watched["resource"]}
                self.dispatch(metadata["name"], event, data)

    def updates(self, key, watched, user):
        """Pairs of a Workflow before and after an update that passes the filter."""
        if watched["eventTypes"] != ["UPDATE"] or watched["namespace"] != self.api.namespace:
            raise Refused(f"spec.resource.{key[1]}")
        labels = []
        for one in watched["filter"]["labels"]:
            form = {"==": "{key}=={value}", "!": "!{key}"}[one["operation"]]
            labels.append(form.format(**one))
        listed = self.api.list(watched["resource"], ",".join(labels), user)
        now = {workflow["metadata"]["uid"]: workflow for workflow in listed}
        # What a source finds when it begins are no updates.
        before, self.seen[key] = self.seen.get(key, {}), now
        for uid, new in now.items():
            old = before.get(uid)
            if old and old["metadata"]["resourceVersion"] != new["metadata"]["resourceVersion"]:
                fields = watched["filter"]["fields"]
                if all(one["operation"] == "==" and found(one["value"], at(new, one["key"])) for one in fields):
                    yield old, new

    def dispatch(self, source, event, data):
        """Hands an event to every sensor that waits for it; one for which all have come acts."""
        for sensor in self.api.list("sensors", ""):
            try:
                check(sensor["spec"], SENSOR_SPEC, "spec")
                self.take(sensor, source, event, data)
            except (Refused, ApiError) as why:
                self.say("sensors", sensor, f"the stand-in for Argo Events refuses {why}")

    def take(self, sensor, source, event, data):
        """Keeps the event for each dependency whose filters it passes."""
        spec, name = sensor["spec"], sensor["metadata"]["name"]
        came = self.came.setdefault(sensor["metadata"]["uid"], {})
        for dependency in spec["dependencies"]:
            if (dependency["eventSourceName"], dependency["eventName"]) != (source, event):
                continue
            if all(passes(one, data) for one in dependency["filters"]["data"]):
                came[dependency["name"]] = data
        (trigger,) = spec["triggers"]
        needed = trigger["template"].get("conditions", "t0").split(" && ")
        if sorted(needed) != sorted(one["name"] for one in spec["dependencies"]):
            raise Refused(f"the conditions of {name}")
        if set(needed) <= came.keys():
            del self.came[sensor["metadata"]["uid"]]
            self.act(sensor, trigger["template"], came)

    def act(self, sensor, template, came):
        """Creates what the trigger describes."""
        created = json.loads(json.dumps(template["k8s"]["source"]["resource"]))
        for parameter in template["k8s"]["parameters"]:
            place = re.fullmatch(r"spec\.arguments\.parameters\.(\d+)\.value", parameter["dest"])
            value = resolve(parameter["src"], came[parameter["src"]["dependencyName"]])
            created["spec"]["arguments"]["parameters"][int(place[1])]["value"] = value
        created["metadata"]["labels"].update({
            "events.argoproj.io/sensor": sensor["metadata"]["name"],
            "events.argoproj.io/trigger": template["name"],
        })
        if created["metadata"]["namespace"] != self.api.namespace:
            raise Refused("another namespace")
        user = self.user(sensor["spec"]["template"])
        self.api.request("POST", self.api.path("workflows"), created, user=user)

    def user(self, template):
        """The service account of the pods."""
        return f"system:serviceaccount:{self.api.namespace}:{template['serviceAccountName']}"

    def say(self, plural, which, message):
        """As a condition, and in the log."""
        print(f"standin: {which['metadata']['name']}: {message}", file=sys.stderr, flush=True)
        condition = {"type": "Refused", "status": "True", "message": message}
        self.api.patch(plural, which["metadata"]["name"], {"status": {"conditions": [condition]}})


def at(data, path):
    """The value at a path of names and dots; None if there is none."""
    for name in path.split("."):
        if not isinstance(data, dict) or name not in data:
            return None
        data = data[name]
    return data


def found(expression, value):
    """Whether a regular expression is found in a text, as in Go's MatchString."""
    return value is not None and re.search(expression, str(value)) is not None


def passes(one, data):
    """A filter of the form that flowc prints; a path that is not there does not pass, whatever is compared."""
    value = at(data, one["path"])
    if one["type"] != "string" or one["comparator"] not in ("=", "!="):
        raise Refused(f"the filter of {one['path']}")
    if value is None:
        return False
    return any(found(expression, value) == (one["comparator"] == "=") for expression in one["value"])


def resolve(source, data):
    """The text that argo-events makes of an event."""
    if source.get("dataTemplate") == BRACES and source.get("dataKey") == "body.payload":
        payload = json.dumps(data["body"]["payload"], ensure_ascii=False)
        return payload.replace("{{", "{\\u007b")
    if source.get("dataTemplate") == RUN and "dataKey" not in source:
        run = f"argo:{at(data, 'body.metadata.name')}"
        for parameter in at(data, "body.spec.arguments.parameters") or []:
            if parameter["name"] == "flowc_run" and parameter.get("value"):
                run = f"id:{parameter['value']}"
        return json.dumps({"run": run})
    raise Refused(f"the source {source}")
