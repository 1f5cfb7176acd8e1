"""Tags in texts, and how Argo merges and names things."""

import base64

from subset import TAG, TAGS, Refused

TO_BASE64, RUN, INPUT, ITEM, UID, OUTPUT = TAGS

# Lists that are merged by a member instead of being replaced (strategic merge).
MERGED_BY = {"env": "name", "volumes": "name", "initContainers": "name", "volumeMounts": "mountPath"}


def substitute(value, scope):
    """Replaces the tags for which `scope` has a function or a value."""
    if isinstance(value, dict):
        return {key: substitute(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [substitute(inner, scope) for inner in value]
    if not isinstance(value, str):
        return value
    # The value of a parameter is never looked at again, whatever it holds.
    return TAG.sub(lambda match: scope.value(match.group(1), match.group(0)), value)


class Scope:
    """What tags mean at one place; None where Argo does not know it there yet."""

    def __init__(self, workflow=None, parameters=None, index=None, item=None, outputs=None, uid=None):
        self.workflow, self.parameters, self.outputs = workflow, parameters, outputs
        self.index, self.item, self.uid = index, item, uid

    def value(self, tag, whole):
        """The text for a tag; the tag itself where it is not known."""
        if (match := TO_BASE64.fullmatch(tag)) and self.parameters is not None:
            return base64.b64encode(self.parameters[match.group(1)].encode()).decode()
        if RUN.fullmatch(tag) and self.parameters is not None:
            continued = self.parameters["flowc_run"]
            return f"id:{continued}" if continued else f"argo:{self.workflow}"
        if INPUT.fullmatch(tag) and self.index is not None:
            return self.index
        if ITEM.fullmatch(tag) and self.item is not None:
            return self.item
        if UID.fullmatch(tag) and self.uid is not None:
            return self.uid
        if (match := OUTPUT.fullmatch(tag)) and self.outputs is not None:
            if match.groups() not in self.outputs:
                # What a task that was passed by leaves means something else in each version of Argo.
                raise Refused(f"{whole} is not known")
            return self.outputs[match.groups()]
        return whole


def merge(base, patch, key=""):
    """What a template says, over what its defaults say."""
    if isinstance(base, dict) and isinstance(patch, dict):
        merged = dict(base)
        for name, value in patch.items():
            merged[name] = merge(base[name], value, name) if name in base else value
        return merged
    if isinstance(base, list) and isinstance(patch, list) and key in MERGED_BY:
        by = MERGED_BY[key]
        merged = {item[by]: item for item in base}
        for item in patch:
            merged[item[by]] = merge(merged.get(item[by], {}), item)
        return list(merged.values())
    return patch


def fnv32a(text):
    """The hash in names of nodes and pods."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
