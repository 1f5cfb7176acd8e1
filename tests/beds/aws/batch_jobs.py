"""Batch jobs as local processes, in the place of moto's, which want docker.

images.json maps an image's name to

    {"programs": {"/flowc-shim": "/…/flowc-shim"}, "path": ["/…/bin"], "env": {"A": "b"}}

A command that begins with one of `programs` starts that one instead; `path` goes in front of PATH.
"""

import datetime
import fnmatch
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import traceback
import uuid

from moto.batch import models, responses

import faults
import settings

# What a job hears from AWS; everything else of this process's environment stays outside.
KEPT = ("PATH", "LANG", "SSL_CERT_FILE")

_slots = threading.Semaphore(settings.jobs)
_submitted = threading.local()
_running = set()


def _keep_retry_strategy():
    """moto does not hand `retryStrategy` of SubmitJob on to the job."""
    original = responses.BatchResponse.submitjob

    @functools.wraps(original)
    def submitjob(self):
        _submitted.retry_strategy = self._get_param("retryStrategy")
        return original(self)

    responses.BatchResponse.submitjob = submitjob


class ProcessJob(models.Job):
    """A job that is a process; its status is exactly what is set here."""

    # moto's registry of models goes by the module's name.
    __module__ = "moto.batch.models"

    def __init__(self, *args, **kwargs):
        self._status = "SUBMITTED"
        self.reason = None
        self.container_reason = None
        self.logs = []
        super().__init__(*args, **kwargs)
        given = getattr(_submitted, "retry_strategy", None)
        self.retry_strategy = given or self.job_definition.retry_strategy or {}

    @property
    def status(self):
        return self._status

    @status.setter
    def status(self, status):
        self._status = getattr(status, "value", status)

    # What the container looks like.

    def command(self):
        container = self.job_definition.container_properties or {}
        words = self.container_overrides.get("command") or container.get("command") or []

        def parameter(match):
            return str(self.parameters.get(match[1], match[0]))

        return [re.sub(r"Ref::([A-Za-z0-9_.-]+)", parameter, word) for word in words]

    def environment(self):
        container = self.job_definition.container_properties or {}
        pairs = container.get("environment", []) + self.container_overrides.get("environment", [])
        return {pair["name"]: pair.get("value", "") for pair in pairs}

    def image(self):
        return (self.job_definition.container_properties or {}).get("image")

    def _container_details(self):
        environment = [{"name": name, "value": value} for name, value in self.environment().items()]
        details = {"image": self.image(), "command": self.command(), "environment": environment}
        if self.exit_code is not None:
            details["exitCode"] = self.exit_code
        if self.container_reason:
            details["reason"] = self.container_reason
        if self.log_stream_name:
            details["logStreamName"] = self.log_stream_name
        return details

    def describe(self):
        described = super().describe()
        described["retryStrategy"] = self.retry_strategy
        if self.reason:
            described["statusReason"] = self.reason
        return described

    # How it runs.

    def run(self):
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - the job's status must say so, whatever it was
            traceback.print_exc()
            self.reason = repr(error)
            self._mark_stopped(success=False)

    def _run(self):
        self.status = "RUNNABLE"
        attempts = int(self.retry_strategy.get("attempts") or 1)
        with _slots:
            for number in range(1, attempts + 1):
                if self.stop:
                    self.reason = self.job_stopped_reason
                    self._mark_stopped(success=False)
                    return
                self.status = "STARTING"
                self.job_started_at = datetime.datetime.now()
                self.log_stream_name = f"{self.job_definition.name}/default/{uuid.uuid4().hex}"
                self._start_attempt()
                self.status = "RUNNING"
                ended = self._attempt(number)
                self.exit_code, self.reason, self.container_reason = ended.code, ended.status_reason, ended.reason
                container = self.latest_attempt["container"]
                if ended.code is not None:
                    container["exitCode"] = ended.code
                if ended.reason:
                    container["reason"] = ended.reason
                self.latest_attempt["statusReason"] = ended.status_reason
                self.latest_attempt["stoppedAt"] = int(time.time() * 1000)
                if ended.code == 0:
                    self._mark_stopped(success=True)
                    return
                if ended.final or number == attempts or not self._evaluate_on_exit(ended):
                    self._mark_stopped(success=False)
                    return
                self.status = "RUNNABLE"

    def _evaluate_on_exit(self, ended):
        """Whether Batch tries again: the first entry that matches decides; without one it does."""
        for entry in self.retry_strategy.get("evaluateOnExit") or []:
            facts = {
                "onExitCode": "" if ended.code is None else str(ended.code),
                "onReason": ended.reason or "",
                "onStatusReason": ended.status_reason or "",
            }
            if all(fnmatch.fnmatchcase(fact, entry[key]) for key, fact in facts.items() if entry.get(key)):
                return entry["action"].upper() == "RETRY"
        return True

    def _attempt(self, number):
        image = settings.images.get(self.image())
        if image is None:
            reason = f"CannotPullContainerError: pull access denied for {self.image()}, repository does not exist"
            return Ended(None, "Task failed to start", reason)
        folder = tempfile.mkdtemp(prefix="job-", dir=settings.work)
        path = os.path.join(settings.work, "logs", f"{self.job_id}-{number}.log")
        self.logs.append(path)
        try:
            with open(path, "wb") as log:
                return self._watch(self._spawn(image, number, folder, log), path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _spawn(self, image, number, folder, log):
        command = self.command()
        command[0] = image.get("programs", {}).get(command[0], command[0])
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment["PATH"] = ":".join(image.get("path", []) + [os.environ.get("PATH", "/usr/bin:/bin")])
        environment.update(
            HOME=folder,
            TMPDIR=folder,
            AWS_ENDPOINT_URL=settings.url,
            AWS_ACCESS_KEY_ID="job",
            AWS_SECRET_ACCESS_KEY="job",
            AWS_REGION=settings.REGION,
            AWS_DEFAULT_REGION=settings.REGION,
            # object_store asks for this before it speaks plain HTTP.
            AWS_ALLOW_HTTP="true",
            AWS_BATCH_JOB_ID=self.job_id,
            AWS_BATCH_JOB_ATTEMPT=str(number),
            AWS_BATCH_JQ_NAME=self.job_queue.name,
            # Nothing in a job reaches beyond this machine by accident.
            NO_PROXY="127.0.0.1",
            HTTP_PROXY="http://127.0.0.1:9",
            HTTPS_PROXY="http://127.0.0.1:9",
        )
        environment.update(image.get("env", {}))
        environment.update(self.environment())
        return Process(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _watch(self, process, log):
        """Waits for the process, a fault that a test asked for, the attempt's timeout, or the job's termination."""
        limit = self._get_attempt_duration()
        deadline = time.monotonic() + limit if limit else None
        exited = "Essential container in task exited"
        pause = 0.002
        _running.add(process)
        try:
            while True:
                code = process.poll()
                if code is not None:
                    return Ended(128 - code if code < 0 else code, exited, None)
                if self.stop:
                    _end(process)
                    return Ended(process.returncode_of_container(), self.job_stopped_reason, None, final=True)
                if deadline and time.monotonic() > deadline:
                    _end(process)
                    reason = "Job attempt duration exceeded timeout"
                    return Ended(process.returncode_of_container(), reason, None, final=True)
                fault = faults.for_job(log)
                if fault is not None:
                    _kill(process)
                    process.wait()
                    return {
                        "kill": Ended(137, exited, None),
                        "oom": Ended(137, exited, "OutOfMemoryError: Container killed due to memory usage"),
                        "host": Ended(None, "Host EC2 (instance i-0a1b2c3d4e5f60718) terminated.", None),
                    }[fault]
                time.sleep(pause)
                pause = min(0.02, pause * 1.5)
        finally:
            _running.discard(process)
            # What the container left running ends with it.
            _kill(process)

    def terminate(self, reason):
        self.job_stopped_reason = reason
        self.stop = True


class Ended:
    """How an attempt ended; `code` is absent if the container was lost."""

    def __init__(self, code, status_reason, reason, final=False):
        self.code, self.status_reason, self.reason, self.final = code, status_reason, reason, final


class Process(subprocess.Popen):
    """A process whose end is told as docker tells it."""

    def returncode_of_container(self):
        return 128 - self.returncode if self.returncode < 0 else self.returncode


def _end(process):
    """As ECS stops a task: SIGTERM, 30 seconds later SIGKILL."""
    _kill(process, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        _kill(process)
        process.wait()


def _kill(process, number=signal.SIGKILL):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def kill_all():
    for process in list(_running):
        _kill(process)


def all_jobs():
    for regions in list(models.batch_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend._jobs.values())


def _describe_jobs(self, jobs):
    """By id; moto looks through all jobs for each."""
    return [self._jobs[job].describe() for job in jobs or [] if job in self._jobs]


_keep_retry_strategy()
models.Job = ProcessJob
models.BatchBackend.describe_jobs = _describe_jobs
models.JOB_NAME_REGEX = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$")
