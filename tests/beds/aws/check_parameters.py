"""Checks the parameters of Task states against the fields of the AWS APIs that they call.

    python check_parameters.py FILE...

No validator of the Amazon States Language knows the services' parameters; the SDK's own description does.
Prints a list of {file, problem} and the number of Task states seen, as JSON.
"""

import json
import re
import sys

import botocore.session

# Step Functions: "optimized" integrations, and `aws-sdk:<service>:<action>`.
RESOURCE = re.compile(r"^arn:aws[a-z-]*:states:::(aws-sdk:)?([a-z0-9]+):([A-Za-z0-9]+)(\.sync|\.sync:2|\.waitForTaskToken)?$")

session = botocore.session.get_session()
problems, seen = [], 0


def pascal(name):
    return name[:1].upper() + name[1:]


def check(shape, value, path):
    """Problems of a value that is passed as `shape`; fields are written in PascalCase."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            # A reference path such as $.x yields the whole structure at run time.
            yield f"{path}: is no object"
            return
        members = {pascal(name): member for name, member in shape.members.items()}
        for key, inner in value.items():
            reference = key.endswith(".$")
            name = key[:-2] if reference else key
            if name not in members:
                yield f"{path}/{key}: {shape.name} has no such field"
            elif not reference:
                yield from check(members[name], inner, f"{path}/{key}")
        for name in shape.required_members:
            if pascal(name) not in value and pascal(name) + ".$" not in value:
                yield f"{path}: {shape.name} needs {pascal(name)}"
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield f"{path}: is no list"
            return
        for place, inner in enumerate(value):
            yield from check(shape.member, inner, f"{path}/{place}")
    elif shape.type_name == "map":
        if not isinstance(value, dict):
            yield f"{path}: is no object"
    elif shape.type_name in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{path}: is no whole number"
    elif shape.type_name == "string":
        if not isinstance(value, str):
            yield f"{path}: is no text"
        elif shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
    elif shape.type_name == "boolean" and not isinstance(value, bool):
        yield f"{path}: is no truth value"


def states(machine, path=""):
    """All states with their paths, nested ones too."""
    for name, state in machine.get("States", {}).items():
        here = f"{path}/{name}"
        yield here, state
        for branch in state.get("Branches", []):
            yield from states(branch, here)
        for key in ("Iterator", "ItemProcessor"):
            if key in state:
                yield from states(state[key], here)


def parts(state):
    """What of a state calls an API: the state itself, and a map's reader and writer."""
    if state.get("Type") == "Task":
        yield "", state
    for key in ("ItemReader", "ResultWriter"):
        if key in state:
            yield f"/{key}", state[key]


def actions(service):
    model = session.get_service_model(service)
    return {name[:1].lower() + name[1:]: model.operation_model(name) for name in model.operation_names}


for file in sys.argv[1:]:
    with open(file, encoding="utf-8") as stream:
        machine = json.load(stream)
    for path, state in states(machine):
        for below, call in parts(state):
            path_here = path + below
            resource = RESOURCE.match(call.get("Resource", ""))
            if resource is None:
                problems.append({"file": file, "problem": f"{path_here}: unknown resource {call.get('Resource')!r}"})
                continue
            seen += 1
            operation = actions(resource[2]).get(resource[3])
            if operation is None:
                problems.append({"file": file, "problem": f"{path_here}: {resource[2]} has no action {resource[3]}"})
                continue
            arguments = call.get("Parameters", call.get("Arguments", {}))
            # A map's reader and writer take fewer fields than the API, under the same names.
            for problem in check(operation.input_shape, arguments, f"{path_here}/Parameters"):
                if not (below == "/ResultWriter" and " needs " in problem):
                    problems.append({"file": file, "problem": problem})
print(json.dumps({"problems": problems, "tasks": seen}))
