"""Corrections of moto's interpreter of states: calls of services, errors, pauses."""

import datetime
import importlib
import json
import pkgutil
import sys
import threading
import time

import boto3
from botocore.config import Config
from moto.batch.models import batch_backends
from moto.stepfunctions.parser import asl
from moto.stepfunctions.parser.api import HistoryEventType

import children
import expressions
import settings

SERVICE = "component.state.exec.state_task.service."


def module(name):
    return sys.modules[expressions.PACKAGE + name]


def load_all():
    """All modules, so that what each of them imported can be replaced."""
    for found in pkgutil.walk_packages(asl.__path__, asl.__name__ + "."):
        try:
            importlib.import_module(found.name)
        except ImportError:
            # moto left out parts that only its origin has; nothing of ours needs them.
            continue


_clients = {}
_clients_lock = threading.Lock()


def client(region, service, state_credentials=None):
    """One client for each service, which speaks to this emulator and never tries again by itself."""
    with _clients_lock:
        if service not in _clients:
            config = Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                max_pool_connections=64,
                read_timeout=600,
                s3={"addressing_style": "path"},
                user_agent_extra="flowc-emulator",
            )
            _clients[service] = boto3.client(
                service, region_name=settings.REGION, endpoint_url=settings.url, config=config
            )
        return _clients[service]


# Names of fields: PascalCase in states, whatever boto3 wants in calls. moto left these empty.


def _operation(task, service, action):
    called = client(settings.REGION, task._get_boto_service_name(service))
    method = task._get_boto_service_action(action)
    return called.meta.service_model.operation_model(called.meta.method_to_api_mapping[method])


def normalise_parameters(self, parameters, boto_service_name=None, service_action_name=None):
    shape = _operation(self, boto_service_name, service_action_name).input_shape
    if shape is None:
        return
    self._to_boto_request(parameters, shape)
    for name, member in shape.members.items():
        # An object as the body of s3:putObject is sent as JSON text.
        if name in parameters and member.type_name == "blob" and not isinstance(parameters[name], (bytes, str)):
            parameters[name] = json.dumps(parameters[name], separators=(",", ":")).encode()


def normalise_response(self, response, boto_service_name=None, service_action_name=None):
    shape = _operation(self, boto_service_name, service_action_name).output_shape
    if shape is not None:
        self._from_boto_response(response, shape)
    _write_dates(response)


def _write_dates(value):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if isinstance(inner, datetime.datetime):
            value[key] = inner.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
        else:
            _write_dates(inner)


def _attach_environment(parameters):
    overrides = parameters.setdefault("ContainerOverrides", {})
    overrides.setdefault("Environment", []).append({"Name": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"})


# `.sync`: waits for the job, and terminates that of an execution that was stopped.

# Seconds after which a waiting task looks whether its execution was stopped.
LOOK_S = 0.25
# Seconds between two questions about what is not a job of ours.
POLL_S = 0.02


def _wait_for_job(self, env, sync_resolver, timeout_seconds, callback_endpoint, heartbeat_endpoint):
    output, job = None, getattr(sync_resolver, "job", None)
    try:
        while env.is_running():
            # Only one that has ended is asked about: hundreds of tasks may wait at a time, and each question is a request.
            if job is None or not job.is_alive():
                output = sync_resolver()
                if output:
                    return output
                time.sleep(POLL_S)
            else:
                job.join(LOOK_S)
        return output
    finally:
        if not output and not env.is_running() and job:
            client(settings.REGION, "batch").terminate_job(jobId=job.job_id, reason="Step Functions execution stopped")


def _remember_job(service):
    original = service._build_sync_resolver

    def build(self, env, **kwargs):
        submitted = env.stack[-1]
        resolve = original(self, env=env, **kwargs)

        def resolver():
            return resolve()

        # A job is a thread, which runs from its submission to its end (batch_jobs.py).
        job_id = submitted.get("JobId") or submitted.get("jobId")
        resolver.job = batch_backends[settings.ACCOUNT][settings.REGION].get_job_by_id(job_id)
        return resolver

    return build


# Errors.


def failure(env, kind, cause, event=HistoryEventType.TaskFailed):
    failures = module("component.common.error_name.failure_event")
    names = module("component.common.error_name.states_error_name")
    details = module("eval.event.event_detail").EventDetails(
        executionFailedEventDetails={"error": kind.to_name(), "cause": cause}
    )
    event = failures.FailureEvent(
        env=env, error_name=names.StatesErrorName(typ=kind), event_type=event, event_details=details
    )
    return failures.FailureEventException(event)


def _allow_states_names(self, error_name):
    """Names that begin with `States.` may come up through maps and branches."""
    self.error_name = error_name


class _ScaledTime:
    @staticmethod
    def sleep(seconds):
        time.sleep(seconds * settings.time_scale)


_parsing = threading.Lock()


def _soften(parse, scopes):
    def parse_softly(definition):
        """The grammar wants a fraction for `ToleratedFailurePercentage`, and all parsers share one list of scopes."""

        def walk(value):
            if isinstance(value, dict):
                return {
                    key: float(inner) if key == "ToleratedFailurePercentage" else walk(inner)
                    for key, inner in value.items()
                }
            return [walk(inner) for inner in value] if isinstance(value, list) else value

        with _parsing:
            scopes.clear()
            return parse(json.dumps(walk(json.loads(definition))))

    return staticmethod(parse_softly)


def install():
    load_all()
    expressions.install()
    expressions.replace_everywhere("boto_client_for", client)
    task = module(SERVICE + "state_task_service").StateTaskService
    task._normalise_parameters = normalise_parameters
    task._normalise_response = normalise_response
    callback = module(SERVICE + "state_task_service_callback").StateTaskServiceCallback
    callback._eval_sync = _wait_for_job
    batch = module(SERVICE + "state_task_service_batch").StateTaskServiceBatch
    batch._attach_aws_environment_variables = staticmethod(_attach_environment)
    batch._build_sync_resolver = _remember_job(batch)
    errors = module(SERVICE + "state_task_service_aws_sdk")._SERVICE_ERROR_NAMES
    errors.update(s3="S3", sfn="Sfn")
    module("component.common.error_name.custom_error_name").CustomErrorName.__init__ = _allow_states_names
    module("component.common.retry.retrier_decl").time = _ScaledTime
    parser = module("parse.asl_parser").AmazonStateLanguageParser
    scopes = module("parse.preprocessor").Preprocessor._query_language_per_scope
    parser.parse = _soften(parser.parse, scopes)
    children.install(module, failure)
