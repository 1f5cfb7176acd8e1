"""EventBridge's rules whose targets are state machines, and what Step Functions tells of executions that ended.

Buses, rules and patterns are moto's. An event reaches a target as AWS describes it for a rule without transformer:
untouched, as the execution's input. Children of a distributed map are not told of, as they have no state machine of
their own.
"""

import copy
import datetime
import json
import uuid

import moto.stepfunctions.parser.backend.execution as executions
import moto.stepfunctions.parser.models as parser_models
from moto.events import models

import machines
import settings

STATE_MACHINE = ":stateMachine:"

_send = models.Rule.send_to_targets
_put_targets = models.EventsBackend.put_targets


def send_to_targets(self, original_event, transform_input=True):
    machines_of = [target for target in self.targets if STATE_MACHINE in target["Arn"]]
    if not machines_of:
        return _send(self, original_event, transform_input)
    if self.state != "ENABLED" or not self.event_pattern.matches_event(original_event):
        return None
    event = copy.deepcopy(dict(original_event))
    # moto's own: AWS hands it to transformers only.
    event.pop("ingestion-time", None)
    if not isinstance(event["time"], str):
        moment = datetime.datetime.fromtimestamp(float(event["time"]), datetime.UTC)
        event["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    backend = parser_models.stepfunctions_parser_backends[settings.ACCOUNT][settings.REGION]
    for target in machines_of:
        # EventBridge names executions so, and drops what it may not deliver.
        if machines.role_exists(target["RoleArn"]):
            backend.start_execution(target["Arn"], f"{event['id']}_{uuid.uuid4()}", json.dumps(event))
    return None


def put_targets(self, name, event_bus_arn, targets):
    for target in targets:
        role = target.get("RoleArn")
        if STATE_MACHINE in target["Arn"] and (role is None or not machines.role_exists(role)):
            raise models.ValidationException(
                f"Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'."
            )
    return _put_targets(self, name, event_bus_arn, targets)


_reflect = executions.BaseExecutionWorkerCommunication._reflect_execution_status


def reflect_execution_status(self):
    _reflect(self)
    execution = self.execution
    arn, moment = execution.exec_arn, datetime.datetime.now(datetime.UTC)
    described = execution.to_describe_output()
    milliseconds = {name: int(described[name].timestamp() * 1000) for name in ("startDate", "stopDate")}
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": settings.ACCOUNT,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": settings.REGION,
        "resources": [arn],
        "detail": {
            "executionArn": arn,
            "stateMachineArn": described["stateMachineArn"],
            "name": execution.name,
            "status": execution.status,
            **milliseconds,
            "input": described["input"],
            "inputDetails": {"included": True},
            "output": described.get("output"),
            "outputDetails": {"included": True} if "output" in described else None,
            "error": described.get("error"),
            "cause": described.get("cause"),
        },
    }
    # AWS's services speak on the default bus only.
    bus = models.events_backends[settings.ACCOUNT][settings.REGION].event_buses["default"]
    for rule in list(bus.rules.values()):
        rule.send_to_targets(event)


def install():
    models.Rule.send_to_targets = send_to_targets
    models.EventsBackend.put_targets = put_targets
    executions.BaseExecutionWorkerCommunication._reflect_execution_status = reflect_execution_status
