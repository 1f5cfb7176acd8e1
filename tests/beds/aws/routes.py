"""The server: moto's application, faults in front of it, and routes for the tests.

POST /_bed/fire?schedule=NAME     starts what the schedule starts; answers the executions' ARNs
POST /_bed/roles                  creates the roles of an iam.json, as whoever runs the account would
POST /_bed/user?name=NAME         creates a user; answers its access key
POST /_bed/faults                 see faults.py
GET  /_bed/jobs                   every job: name, status, exit code, attempts, environment, log
GET  /_bed/entered?name=NAME      how many states an execution has entered, with those of its map runs
GET  /_bed/requests               how many requests there were of each action
"""

import collections
import json
import logging
import threading
import uuid
from urllib.parse import parse_qs

import boto3
import moto.scheduler.models as scheduler
import moto.stepfunctions.parser.models as parser_models
from botocore.config import Config
from moto import backends
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

import batch_jobs
import children
import events
import faults
import interpreter
import machines
import settings

_requests = collections.Counter()
_requests_lock = threading.Lock()


def client(service):
    config = Config(s3={"addressing_style": "path"}, user_agent_extra="flowc-emulator")
    return boto3.client(service, region_name=settings.REGION, endpoint_url=settings.url, config=config)


def backend():
    return parser_models.stepfunctions_parser_backends[settings.ACCOUNT][settings.REGION]


def fire(query, body):
    """What EventBridge Scheduler does at the schedule's time."""
    fired = []
    for group in scheduler.scheduler_backends[settings.ACCOUNT][settings.REGION].schedule_groups.values():
        for schedule in group.schedules.values():
            if schedule.name != query["schedule"] or schedule.state != "ENABLED":
                continue
            target = schedule.target
            if not machines.role_exists(target["RoleArn"]):
                raise LookupError(f"{target['RoleArn']} does not exist")
            started = backend().start_execution(target["Arn"], str(uuid.uuid4()), target.get("Input") or "{}")
            fired.append(started.execution_arn)
    if not fired:
        raise LookupError(f"no enabled schedule {query['schedule']}")
    return fired


def create_roles(query, body):
    iam = client("iam")
    for role in body.values():
        name = role["RoleArn"].rsplit("/", 1)[1]
        if not machines.role_exists(role["RoleArn"]):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(role["AssumeRolePolicyDocument"]))
        iam.put_role_policy(RoleName=name, PolicyName="flowc", PolicyDocument=json.dumps(role["PolicyDocument"]))
    return list(body)


def create_user(query, body):
    iam = client("iam")
    iam.create_user(UserName=query["name"])
    return iam.create_access_key(UserName=query["name"])["AccessKey"]


def set_faults(query, body):
    faults.set_all(body)
    return body


def jobs(query, body):
    return [
        {
            "id": job.job_id,
            "name": job.job_name,
            "status": job.status,
            "exit": job.exit_code,
            "reason": job.reason,
            "attempts": len(job.attempts),
            "environment": job.environment(),
            "log": "".join(open(log, errors="replace").read() for log in job.logs),
        }
        for job in batch_jobs.all_jobs()
    ]


def entered(query, body):
    """What AWS charges for: each state that was entered, also by the iterations of maps."""
    machines_there = backend().state_machines
    pending = [one.execution_arn for machine in machines_there for one in machine.executions if one.name == query["name"]]
    count = 0
    while pending:
        for event in backend().get_execution_history(pending.pop())["events"]:
            kind = str(getattr(event["type"], "value", event["type"]))
            count += kind.endswith("StateEntered")
            if kind == "MapRunStarted":
                started = event["mapRunStartedEventDetails"]["mapRunArn"]
                pending += [child.arn for child in children.of_map_run(started)]
    return count


def requests(query, body):
    with _requests_lock:
        return dict(_requests)


ROUTES = {
    ("POST", "fire"): fire,
    ("POST", "roles"): create_roles,
    ("POST", "user"): create_user,
    ("POST", "faults"): set_faults,
    ("GET", "jobs"): jobs,
    ("GET", "entered"): entered,
    ("GET", "requests"): requests,
}


def own(environ, start_response):
    route = ROUTES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/_bed/")))
    query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    length = int(environ.get("CONTENT_LENGTH") or 0)
    status, answer = "200 OK", None
    try:
        if route is None:
            raise LookupError(f"no route {environ['PATH_INFO']}")
        body = json.loads(environ["wsgi.input"].read(length)) if length else None
        answer = route(query, body)
    except LookupError as error:
        status, answer = "404 Not Found", str(error)
    return _send(start_response, status, "application/json", json.dumps(answer, default=str))


def _send(start_response, status, kind, text):
    body = text.encode()
    start_response(status, [("content-type", kind), ("content-length", str(len(body)))])
    return [body]


def _drain(environ):
    """Reads what the client still sends, so that the connection can be used again."""
    stream, left = environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0:
        read = len(stream.read(min(left, 65_536)))
        if not read:
            return
        left -= read


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def server(port):
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    # Jobs are ours; with docker off moto would answer without running anything.
    default_user_config["batch"] = {"use_docker": True}
    # It writes each failure of a task as an error of its own; the history has them.
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    interpreter.install()
    machines.install()
    events.install()
    # It looks for each request's service in this list, which takes longer than some of the answers.
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    moto = DomainDispatcherApplication(create_backend_app)

    def application(environ, start_response):
        if environ["PATH_INFO"].startswith("/_bed/"):
            return own(environ, start_response)
        action = faults.action_of(environ)
        if action is not None and "flowc-emulator" not in environ.get("HTTP_USER_AGENT", ""):
            with _requests_lock:
                _requests[action] += 1
        fault = faults.answer(environ)
        if fault is not None:
            _drain(environ)
            return _send(start_response, *fault)
        return moto(environ, start_response)

    made = make_server("127.0.0.1", port, application, threaded=True, request_handler=Quiet)
    made.daemon_threads = True
    return made


def prepare():
    """What the account of a default profile brings along: a bucket and a queue."""
    client("s3").create_bucket(Bucket="flowc-store")
    roles = client("iam")
    service = roles.create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    batch = client("batch")
    environment = batch.create_compute_environment(
        computeEnvironmentName="local", type="UNMANAGED", state="ENABLED", serviceRole=service
    )
    order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
    batch.create_job_queue(jobQueueName="flowc", state="ENABLED", priority=1, computeEnvironmentOrder=order)
