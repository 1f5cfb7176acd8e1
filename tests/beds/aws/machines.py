"""Step Functions' API where moto's differs from AWS's: definitions, roles, versions, aliases, executions and children."""

import copy
import datetime
import json
import re
import uuid

import moto.stepfunctions.parser.backend.execution as executions
import moto.stepfunctions.parser.models as parser_models
from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.stepfunctions import models, responses

import children
import definitions

Backend = parser_models.StepFunctionsParserBackend
Response = responses.StepFunctionResponse

INPUT_MAX = 262_144
EXECUTION_NAME = re.compile(r"^[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f]{1,80}$")


class InvalidDefinition(AWSError):
    TYPE, STATUS = "InvalidDefinition", 400


class AccessDenied(AWSError):
    TYPE, STATUS = "AccessDeniedException", 400


class Conflict(AWSError):
    TYPE, STATUS = "ConflictException", 400


# Definitions and roles.

_parse = Backend._validate_definition


def _validate(definition):
    found = definitions.problems(definition)
    if found:
        text = ", ".join(f"{code}: {message} at {where}" for code, where, message in found[:10])
        raise InvalidDefinition(f"Invalid State Machine Definition: '{text}'")
    _parse(definition=definition)


def role_exists(arn):
    account = arn.split(":")[4]
    return any(role.arn == arn for role in iam_backends[account]["aws"].roles.values())


def _require_role(arn):
    if not role_exists(arn):
        raise AccessDenied(
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume "
            "the provided role."
        )


_create = Backend.create_state_machine
_update = Backend.update_state_machine


def create_state_machine(self, name, definition, roleArn, **kwargs):
    _require_role(roleArn)
    return _create(self, name, definition, roleArn, **kwargs)


def update_state_machine(self, arn, definition=None, role_arn=None, **kwargs):
    if role_arn:
        _require_role(role_arn)
    machine = self.describe_state_machine(arn)
    before = (machine.definition, machine.roleArn)
    publish = kwargs.pop("publish", None)
    machine = _update(self, arn, definition, role_arn, **kwargs)
    # A revision that has a version gets no second one.
    if publish and (before != (machine.definition, machine.roleArn) or not machine.latest_version):
        machine.publish(kwargs.get("version_description"))
    return machine


def describe_state_machine(self):
    result = _describe_machine(self)
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    fields = result._result if hasattr(result, "_result") else result.result
    fields["revisionId"] = f"{len(getattr(machine, 'versions', {}))}-{hash((machine.definition, machine.roleArn)):x}"
    return result


_describe_machine = Response.describe_state_machine


# Versions.


def publish_version(self):
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    latest = machine.latest_version
    if not latest or (latest.definition, latest.roleArn) != (machine.definition, machine.roleArn):
        machine.publish(self._get_param("description"))
    return ActionResult(
        {
            "creationDate": machine.latest_version.creation_date,
            "stateMachineVersionArn": machine.latest_version.arn,
        }
    )


def list_versions(self):
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    versions = [
        {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
        for _, version in sorted(machine.versions.items(), reverse=True)
    ]
    return ActionResult({"stateMachineVersions": versions})


def delete_version(self):
    base, _, number = self._get_param("stateMachineVersionArn").rpartition(":")
    machine = self.stepfunction_backend.describe_state_machine(base)
    for alias in machine.aliases.values():
        if any(route["stateMachineVersionArn"].endswith(f":{number}") for route in alias.routing_configuration):
            raise Conflict(f"Version to be deleted must not be referenced by an alias: {alias.arn}")
    machine.versions.pop(int(number), None)
    return ActionResult({})


# Executions.

_start = Backend.start_execution


def start_execution(self, state_machine_arn, name=None, execution_input=None, trace_header=None):
    name = name or str(uuid.uuid4())
    if not EXECUTION_NAME.match(name):
        raise models.InvalidName(f"Invalid Name: '{name}'")
    if len((execution_input or "").encode()) > INPUT_MAX:
        raise models.InvalidExecutionInput(f"input larger than {INPUT_MAX} bytes")
    parts = state_machine_arn.split(":")
    base = ":".join(parts[:7])
    machine = self.describe_state_machine(base)
    version, alias = None, None
    if len(parts) > 7 and parts[7].isnumeric():
        version = machine.versions[int(parts[7])]
    elif len(parts) > 7:
        alias = self.describe_state_machine_alias(state_machine_arn)
        number = alias.routing_configuration[0]["stateMachineVersionArn"].rpartition(":")[2]
        version = machine.versions[int(number)]
    # The execution takes a copy of the machine, which must be the version's.
    kept = machine.definition
    machine.definition = version.definition if version else kept
    try:
        execution = _start(self, base, name, execution_input, trace_header)
    finally:
        machine.definition = kept
    execution.version_arn = version.arn if version else None
    execution.alias_arn = alias.arn if alias else None
    return execution


_details = executions.Execution.get_start_execution_details


def start_details(self):
    details = _details(self)
    moment = self.start_date.astimezone(datetime.UTC)
    details.start_time = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return details


def _fields(execution):
    """What lists and descriptions of an execution share, if it has them."""
    return {
        "stateMachineVersionArn": getattr(execution, "version_arn", None),
        "stateMachineAliasArn": getattr(execution, "alias_arn", None),
        "stopDate": execution.stop_date,
    }


def _given(fields):
    return {name: value for name, value in fields.items() if value is not None}


def list_executions(self):
    status = self._get_param("statusFilter")
    limit = self._get_int_param("maxResults") or 100
    start = int(self._get_param("nextToken") or 0)
    if self._get_param("mapRunArn"):
        found = [_child(child) for child in children.of_map_run(self._get_param("mapRunArn"))]
        found = [item for item in found if status in (None, item["status"])]
    else:
        machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
        chosen = [execution for execution in machine.executions if status in (None, execution.status)]
        found = [
            _given(
                {
                    "executionArn": execution.execution_arn,
                    "name": execution.name,
                    "startDate": execution.start_date,
                    "stateMachineArn": machine.arn,
                    "status": execution.status,
                    **_fields(execution),
                }
            )
            for execution in chosen
        ]
    found.sort(key=lambda item: item["startDate"], reverse=True)
    page = found[start : start + limit]
    token = str(start + limit) if start + limit < len(found) else None
    return ActionResult(_given({"executions": page, "nextToken": token}))


def _child(child):
    parts = child.arn.split(":")
    fields = {
        "executionArn": child.arn,
        "mapRunArn": child.map_run,
        "name": child.name,
        "startDate": child.started,
        "stateMachineArn": ":".join([*parts[:5], "stateMachine", parts[6]]),
        "status": child.status,
        "stopDate": child.stopped,
    }
    return _given(fields)


_describe = Response.describe_execution


def describe_execution(self):
    child = children.by_arn(self._get_param("executionArn"))
    if child is not None:
        texts = {"input": json.dumps(child.input), "error": child.error, "cause": child.cause}
        return ActionResult(_child(child) | _given(texts))
    result = _describe(self)
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    fields = result._result if hasattr(result, "_result") else result.result
    if execution.status == "SUCCEEDED":
        fields["output"] = json.dumps(execution.output, separators=(",", ":"), default=str)
    fields.update(_given(_fields(execution)))
    return result


_history = Backend.get_execution_history


def get_execution_history(self, execution_arn):
    child = children.by_arn(execution_arn)
    if child is not None:
        return {"events": copy.deepcopy(child.history.get_event_history())}
    return _history(self, execution_arn)


def get_execution_history_page(self):
    """`reverseOrder` and pages, which moto leaves out."""
    events = self.stepfunction_backend.get_execution_history(self._get_param("executionArn"))["events"]
    if self._get_param("reverseOrder"):
        events = events[::-1]
    limit = self._get_int_param("maxResults") or 100
    start = int(self._get_param("nextToken") or 0)
    token = str(start + limit) if start + limit < len(events) else None
    return ActionResult(_given({"events": events[start : start + limit], "nextToken": token}))


def install():
    Backend._validate_definition = staticmethod(_validate)
    Backend.create_state_machine = create_state_machine
    Backend.update_state_machine = update_state_machine
    Backend.start_execution = start_execution
    Backend.get_execution_history = get_execution_history
    executions.Execution.get_start_execution_details = start_details
    Response.describe_state_machine = describe_state_machine
    Response.publish_state_machine_version = publish_version
    Response.list_state_machine_versions = list_versions
    Response.delete_state_machine_version = delete_version
    Response.list_executions = list_executions
    Response.describe_execution = describe_execution
    Response.get_execution_history = get_execution_history_page
