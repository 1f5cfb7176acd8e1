"""Checks Kubernetes objects against the full CRDs of a folder, unknown fields refused.

    python validate_crds.py FOLDER < objects.json     (a list of {file, object})

A structural schema prunes what it does not know; here that is a mistake, as with `kubectl --validate=strict`.
Objects of other groups than the CRDs' are left to the other validator.
Prints a list of {file, problem}, as JSON.
"""

import json
import pathlib
import sys

import jsonschema
import yaml

# The full CRDs are megabytes; the pure reader takes ten seconds for them.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def structural(schema):
    """The JSON schema that accepts what the CRD's schema keeps."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result = {
        key: value
        for key, value in schema.items()
        if key not in ("description", "properties", "items", "additionalProperties", "format")
        and not key.startswith("x-kubernetes-")
    }
    if schema.get("nullable"):
        result["type"] = [schema["type"], "null"]
    if "properties" in schema:
        result["properties"] = {name: structural(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        result["items"] = structural(schema["items"])
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        result["additionalProperties"] = structural(more)
    elif schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = bool(more)
    return result


def validators(folder):
    """Validators by apiVersion and kind."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
        for crd in yaml.load_all(path.read_text(encoding="utf-8"), Loader=Loader):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            for version in crd["spec"]["versions"]:
                schema = structural(version["schema"]["openAPIV3Schema"])
                # The API server knows these three by itself.
                schema["properties"]["metadata"] = {"type": "object"}
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                found[key] = jsonschema.Draft202012Validator(schema)
    return found


known = validators(sys.argv[1])
if not known:
    sys.exit(f"no custom resource definitions in {sys.argv[1]}")
groups = {version for version, _ in known}
problems = []
for entry in json.load(sys.stdin):
    item = entry["object"] or {}
    key = (item.get("apiVersion"), item.get("kind"))
    if key[0] not in groups:
        continue
    if key not in known:
        problems.append({"file": entry["file"], "problem": f"no CRD for {key[0]} {key[1]}"})
        continue
    for error in known[key].iter_errors(item):
        path = "/".join(str(part) for part in error.absolute_path)
        problems.append({"file": entry["file"], "problem": f"/{path}: {error.message[:300]}"})
print(json.dumps(problems))
