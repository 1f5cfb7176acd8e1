"""The Airflow DAG of a flow, for Airflow 2.10, 2.11 and 3. Written by flowc: change the flow instead."""

import json
from base64 import b64encode
from datetime import datetime, timedelta, timezone

from airflow import __version__
from airflow.configuration import conf
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

if __version__.startswith("2."):
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.models.param import Param
else:
    from airflow.sdk import DAG, Asset, Param

try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import AirflowException, AirflowFailException

DOC = """\
Summarises the Palmer penguins, one task per species.

flowc version `40110da65da9`
"""
START = "start"
FINAL_EXITS = [10, 20, 21, 22]
ENV = {
    "FLOWC_STORE": "s3://flowc-store",
    "FLOWC_PACKAGE": "StatisticsFlow/bba1ee2bbe1fb2fff4f678dc9cd0cd281b853bec6134538c4f0d6d7edcc031cf",
    "FLOWC_PROTOCOL": "1",
    "FLOWC_WORK": "/flowc/work",
    "FLOWC_REPORT": "/dev/termination-log",
}
DONE = Asset("flowc://run/StatisticsFlow")
VOLUME = k8s.V1Volume(name="flowc", empty_dir=k8s.V1EmptyDirVolumeSource())
MOUNT = k8s.V1VolumeMount(name="flowc", mount_path="/flowc")
SECURITY = k8s.V1SecurityContext(
    allow_privilege_escalation=False,
    capabilities=k8s.V1Capabilities(drop=["ALL"]),
    seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
)
SHIM = k8s.V1Container(
    name="flowc-shim",
    image="flowc-shim:0.1.0",
    command=["/flowc-shim", "install", "/flowc"],
    volume_mounts=[MOUNT],
    security_context=SECURITY,
)
REQUESTS = {"cpu": "1", "memory": "4096Mi"}
DEFAULTS = {
    "owner": "flowc",
    "image": "python:3.12-slim",
    "namespace": "default",
    "startup_timeout_seconds": 600,
    "startup_check_interval_seconds": 2,
    "retries": 3,
    "map_index_template": "{{ task.index }}",
    "retry_delay": timedelta(seconds=10),
}


def mappable(index_paths):
    """The index paths, unless they are too many for Airflow to expand a task over them."""
    count, limit = len(index_paths), conf.getint("core", "max_map_length")
    if count > limit:
        raise AirflowFailException(
            f"{count} tasks of one foreach, but [core] max_map_length is {limit}"
        )
    return index_paths


class Step(KubernetesPodOperator):
    """A step in a pod. It reports by the container's termination message: no side-car, no exec."""

    template_fields = ("index",)  # nothing else: Jinja sees no text that a user wrote
    template_ext = ()

    def __init__(self, *, index="-", foreach=False, requests=None, limits=None, **kwargs):
        kwargs["volumes"] = [VOLUME, *kwargs.get("volumes", ())]
        kwargs["volume_mounts"] = [MOUNT, *kwargs.get("volume_mounts", ())]
        super().__init__(
            cmds=["/flowc/flowc-shim", "step", kwargs["task_id"]],
            init_containers=[SHIM],
            container_resources=k8s.V1ResourceRequirements(
                requests={**REQUESTS, **(requests or {})}, limits=limits
            ),
            container_security_context=SECURITY,
            do_xcom_push=False,
            deferrable=False,
            log_pod_spec_on_failure=False,
            **kwargs,
        )
        self.index, self.foreach, self.report = index, foreach, None

    def build_pod_request_obj(self, context=None, **kwargs):
        """Adds what only the run knows."""
        if context:
            params = dict(context["params"])
            resumed = params.pop("flowc_run", None)
            self.flowc_run = f"id:{resumed}" if resumed else f"airflow:{context['run_id']}"
            env = {
                **ENV,
                "FLOWC_RUN": self.flowc_run,
                "FLOWC_INDEX": self.index,
                "FLOWC_ATTEMPT": str(context["ti"].try_number - 1),
            }
            if self.task_id == START:
                env["FLOWC_PARAMETERS"] = b64encode(json.dumps(params).encode()).decode()
            # Kubernetes expands $(NAME) in values and reads $$ as $.
            self.env_vars = [
                k8s.V1EnvVar(name=name, value=value.replace("$", "$$"))
                for name, value in env.items()
            ]
        return super().build_pod_request_obj(context, **kwargs)

    def execute_sync(self, context):
        """Returns the index paths over which the body of a foreach is expanded."""
        super().execute_sync(context)
        for done in self.outlets:
            context["outlet_events"][done].extra = {"run": self.flowc_run}
        if not self.foreach:
            return None
        self.do_xcom_push = True  # set any earlier, it would add a side-car
        before = "" if self.index == "-" else f"{self.index}-"
        count = json.loads(self.report)["count"]
        return mappable([f"{before}{index}" for index in range(count)])

    def cleanup(self, pod, remote_pod, *args, **kwargs):
        """Keeps the report and does not retry what cannot get better."""
        statuses = remote_pod and remote_pod.status.container_statuses or ()
        ended = [s.state.terminated for s in statuses if s.name == self.base_container_name]
        ended = ended[0] if any(ended) else None
        code, self.report = (ended.exit_code, ended.message) if ended else (None, None)
        try:
            super().cleanup(pod, remote_pod, *args, **kwargs)
        except AirflowException as error:
            if ended and ended.reason == "OOMKilled":
                cause = "out of memory"
            else:
                cause = self.report or remote_pod and remote_pod.status.reason or "the pod is gone"
            self.log.error("flowc: %s (exit %s)", cause, code)  # flowc status looks for it
            if code in FINAL_EXITS:
                raise AirflowFailException(f"{self.task_id}: {self.report}") from error
            raise


with DAG(
    dag_id="StatisticsFlow",
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    is_paused_upon_creation=False,
    tags=["flowc"],
    doc_md=DOC,
    params={
        "measure": Param(
            "body_mass_g",
            type="string",
            description="The column by which the species are ranked.",
        ),
        "flowc_run": Param(
            "",
            type="string",
            pattern="^[A-Za-z0-9._-]*$",
            description="Run to continue",
        ),
    },
    default_args=DEFAULTS,
) as dag:
    start = Step(task_id="start", foreach=True)
    summarise = Step.partial(task_id="summarise").expand(index=start.output)
    rank = Step(task_id="rank", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    summarise >> rank >> end
