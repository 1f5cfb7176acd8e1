"""Reads DAG files with the Airflow of this interpreter and prints what it made of them, as JSON.

    python read_dags.py FILE...

One process for all files, since importing Airflow takes seconds.
For each file: the errors of its import, and for each DAG its tasks as Airflow sees them, from the DAG itself and from
its serialised form, which is all that the scheduler and the user interface ever read, and the pods that would run them.
"""

import json
import logging
import os
import sys
import tempfile
import warnings
from types import SimpleNamespace

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="flowc-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
# The first file pays for the provider's import, which takes its time on a busy machine.
os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"] = "600"
os.environ["AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY"] = "True"
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import airflow  # noqa: E402

try:  # Airflow 3
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization as Serialization
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag
    from airflow.serialization.serialized_objects import SerializedDAG as Serialization

from kubernetes.client import ApiClient  # noqa: E402

CLIENT = ApiClient()


def pod(operator):
    """The pod that runs a task, as the API server is sent it; none where the index path is not known before a run."""
    if getattr(operator, "partial_kwargs", None) is not None:
        operator = operator.unmap({"index": "0"} if "index" in operator.expand_input.value else {})
    makes_pods = hasattr(operator, "build_pod_request_obj")
    if not makes_pods or not isinstance(operator.index, str):
        return None
    task = SimpleNamespace(
        dag_id=operator.dag_id, task_id=operator.task_id, run_id="run", try_number=1, max_tries=3, map_index=-1
    )
    context = {
        "params": {},
        "run_id": "run",
        "ti": task,
        "dag": operator.dag,
        "dag_run": SimpleNamespace(run_id="run", logical_date=None),
    }
    made = operator.build_pod_request_obj(context, dry_run=True)
    return CLIENT.sanitize_for_serialization(made)


def task(operator):
    """The facts of one operator, mapped or not."""
    partial = getattr(operator, "partial_kwargs", None)

    def fact(name):
        value = partial.get(name) if partial is not None else getattr(operator, name, None)
        return getattr(operator, name, None) if value is None else value

    group = operator.task_group
    timeout = fact("execution_timeout")
    return {
        "downstream": sorted(operator.downstream_task_ids),
        "upstream": sorted(operator.upstream_task_ids),
        "mapped": partial is not None,
        "group": group.group_id if group is not None else None,
        # Airflow 2 hands out a proxy, whose type is not that of the group.
        "group_mapped": group is not None and group.__class__.__name__.endswith("MappedTaskGroup"),
        "trigger_rule": str(getattr(fact("trigger_rule"), "value", fact("trigger_rule"))),
        "retries": fact("retries"),
        "retry_delay_s": fact("retry_delay").total_seconds(),
        "execution_timeout_s": timeout.total_seconds() if timeout else None,
        "template_fields": list(operator.template_fields),
        "pod": pod(operator),
    }


def param(param):
    """Default and schema of a parameter; no default where a value must be given."""
    fact = {"schema": param.schema, "description": param.description}
    if param.has_value:
        fact["default"] = param.value
    return fact


def describe(dag):
    """A DAG, before and after a round trip through its serialised form."""
    text = json.dumps(Serialization.to_dict(dag))
    again = json.dumps(Serialization.to_dict(dag))
    decoded = Serialization.from_dict(json.loads(text))
    return {
        "dag_id": dag.dag_id,
        "tasks": {operator.task_id: task(operator) for operator in dag.tasks},
        "decoded": {
            operator.task_id: {
                "downstream": sorted(operator.downstream_task_ids),
                "mapped": "Mapped" in type(operator).__name__,
            }
            for operator in decoded.task_dict.values()
        },
        "stable": json.loads(text) == json.loads(again),
        "serialised_bytes": len(text),
        "params": {name: param(dag.params.get_param(name)) for name in dag.params},
        "doc_md": dag.doc_md,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "timetable": json.loads(text)["dag"].get("timetable"),
        "start_date": dag.start_date.isoformat(),
        "max_active_runs": dag.max_active_runs,
    }


def read(path):
    """What one file holds."""
    keywords = {"include_examples": False} if airflow.__version__.startswith("2.") else {}
    bag = DagBag(dag_folder=path, **keywords)
    result = {"errors": {file: str(error) for file, error in bag.import_errors.items()}, "dags": []}
    for dag_id in sorted(bag.dags):
        result["dags"].append(describe(bag.dags[dag_id]))
    return result


print(json.dumps({"airflow": airflow.__version__, "files": {path: read(path) for path in sys.argv[1:]}}, default=str))
