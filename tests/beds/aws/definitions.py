"""What `CreateStateMachine` refuses in a definition; a small part of AWS's own checks, which moto lacks."""

import json
import re

KINDS = {"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}
SIZE_MAX = 1_048_576
NAME_MAX = 80


def problems(text):
    """`(code, location, message)` for each problem."""
    found = []
    if len(text.encode()) > SIZE_MAX:
        found.append(("SCHEMA_VALIDATION_FAILED", "/", "definition larger than 1 MB"))
    try:
        top = json.loads(text)
    except ValueError as error:
        return [("INVALID_JSON_DESCRIPTION", "/", str(error))]
    _machine(top, "", top.get("QueryLanguage", "JSONPath"), {}, found)
    return found


def _machine(machine, where, language, names, found):
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        found.append(("SCHEMA_VALIDATION_FAILED", where, "no States"))
        return
    if machine.get("StartAt") not in states:
        found.append(("MISSING_TRANSITION_TARGET", f"{where}/StartAt", f"there is no {machine.get('StartAt')}"))
    for name, state in states.items():
        here = f"{where}/States/{name}"
        _state(name, state, here, states, language, names, found)
        for place, branch in enumerate(state.get("Branches", [])):
            _machine(branch, f"{here}/Branches/{place}", language, names, found)
        if "ItemProcessor" in state:
            _machine(state["ItemProcessor"], f"{here}/ItemProcessor", language, names, found)
    reached, todo = set(), [machine.get("StartAt")]
    while todo:
        name = todo.pop()
        if name in states and name not in reached:
            reached.add(name)
            todo += [target for _, target in _targets(states[name])]
    for name in states.keys() - reached:
        found.append(("MISSING_TRANSITION_TARGET", f"{where}/States/{name}", "is not reachable"))


def _state(name, state, here, states, language, names, found):
    def wrong(message, code="SCHEMA_VALIDATION_FAILED"):
        found.append((code, here, message))

    if len(name) > NAME_MAX:
        wrong(f"state name longer than {NAME_MAX} characters")
    if name in names:
        wrong(f"also at {names[name]}", "DUPLICATE_STATE_NAME")
    names[name] = here
    kind = state.get("Type")
    if kind not in KINDS:
        wrong(f"bad Type {kind}")
    if kind in ("Choice", "Succeed", "Fail"):
        if "Next" in state or "End" in state:
            wrong(f"{kind} has no Next or End")
    elif ("Next" in state) == bool(state.get("End")):
        wrong("exactly one of Next and End")
    if state.get("QueryLanguage", language) != "JSONata":
        for key in ("Parameters", "ItemSelector", "ResultSelector"):
            _references(state.get(key), f"{here}/{key}", found)
    for retrier in state.get("Retry", []) + state.get("Catch", []):
        if "States.ALL" in retrier.get("ErrorEquals", []) and len(retrier["ErrorEquals"]) > 1:
            wrong("States.ALL must be alone")
    for key, target in _targets(state):
        if target not in states:
            found.append(("MISSING_TRANSITION_TARGET", f"{here}/{key}", f"there is no {target}"))


def _targets(state):
    for key in ("Next", "Default"):
        if key in state:
            yield key, state[key]
    for choice in state.get("Choices", []) + state.get("Catch", []):
        yield "Next", choice.get("Next")


def _references(value, where, found):
    """Keys that end in `.$` hold a path or a call of an intrinsic function."""
    if isinstance(value, dict):
        for key, inner in value.items():
            refers = isinstance(inner, str) and re.match(r"\$|States\.", inner)
            if key.endswith(".$") and not refers:
                message = "The value for the field must be a valid JSONPath or a valid intrinsic function call"
                found.append(("SCHEMA_VALIDATION_FAILED", f"{where}/{key}", message))
            _references(inner, f"{where}/{key}", found)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _references(inner, f"{where}/{place}", found)
