"""Reads YAML files as YAML 1.1 and as YAML 1.2 and compares: every scalar must be the same in both.

    python read_yaml.py FILE...

kubectl reads 1.1, and `n`, `no`, `012`, `12:30` and `1e3` have other types there.
Prints {"objects": [{file, object}], "problems": [{file, problem}]} as JSON; the objects are those of YAML 1.1.
"""

import json
import re
import sys

import yaml
from ruamel.yaml import YAML


class Loader(yaml.SafeLoader):
    """YAML 1.1 as its type repository has it and Kubernetes' reader does it: PyYAML leaves out y and n."""


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
Loader.bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


def differences(one, two, path=""):
    """Paths at which two values differ in type or value."""
    if type(one) is not type(two):
        yield f"{path}: {one!r} in YAML 1.1 is {two!r} in YAML 1.2"
    elif isinstance(one, dict):
        if list(one) != list(two):
            yield f"{path}: keys {list(one)!r} in YAML 1.1 are {list(two)!r} in YAML 1.2"
            return
        for key in one:
            yield from differences(one[key], two[key], f"{path}/{key}")
    elif isinstance(one, list):
        if len(one) != len(two):
            yield f"{path}: {len(one)} elements in YAML 1.1, {len(two)} in YAML 1.2"
            return
        for place, (left, right) in enumerate(zip(one, two)):
            yield from differences(left, right, f"{path}/{place}")
    elif one != two:
        yield f"{path}: {one!r} in YAML 1.1 is {two!r} in YAML 1.2"


def not_text(value, path=""):
    """Keys that are no text; Kubernetes refuses them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                yield f"{path}: the key {key!r} is no text"
            yield from not_text(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from not_text(inner, f"{path}/{place}")


objects, problems = [], []
for file in sys.argv[1:]:
    with open(file, encoding="utf-8") as stream:
        text = stream.read()
    try:
        old = list(yaml.load_all(text, Loader=Loader))
        new = list(YAML(typ="safe", pure=True).load_all(text))
    except Exception as error:  # both readers have their own families of errors
        problems.append({"file": file, "problem": str(error)})
        continue
    for problem in [*differences(old, new), *not_text(old)]:
        problems.append({"file": file, "problem": problem})
    objects.extend({"file": file, "object": value} for value in old)
print(json.dumps({"objects": objects, "problems": problems}, default=str))
