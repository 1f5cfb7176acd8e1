"""What Metaflow's own client and commands see of a run, as plain data.

    client.py describe FLOW/RUN       prints JSON: the run as the official client sees it
    client.py value FLOW/RUN NAME     prints an artifact of the end task as JSON
    client.py commands FILE FLOW/RUN  runs Metaflow's `dump`, `logs` and `resume` on the run; prints JSON

Two runs of one flow, one by Metaflow and one by flowc, must have the same description.
Ids and times are left out or replaced by a task's place in the flow (`step[index]`), everything else is kept.
The store and the metadata are those of the environment (METAFLOW_DATASTORE_SYSROOT_LOCAL).
"""

import functools
import json
import os
import subprocess
import sys
import tempfile

import metaflow
from metaflow import Flow, Run
from metaflow.client.filecache import FileCache

# Metaflow opens a task anew for the size of each of its artifacts, by four requests to the store: nine tenths of all that it asks.
# The runs that are read here have ended.
FileCache._get_task_datastore = functools.cache(FileCache._get_task_datastore)

# Ids, times and what says which program made the run; everything else that the client shows is compared.
METADATA_KEPT = (
    "attempt",
    "attempt_ok",
    "ds-type",
    "foreach-execution-path",
    "internal_task_type",
    "origin-run-id",
    "parallel-world-size",
)


def place(task):
    """A task's place in the flow: the step and the foreach indices from the outermost to the innermost."""
    step = task.path_components[2]
    stack = task["_foreach_stack"].data
    return "%s[%s]" % (step, ",".join(str(frame.index) for frame in stack))


def describe_task(task):
    metadata = task.metadata_dict
    return {
        "successful": task.successful,
        "finished": task.finished,
        "finished_at": task.finished_at is not None,
        "exception": None if task.exception is None else str(task.exception),
        "index": task.index,
        "parents": sorted(place(parent) for parent in task.parent_tasks),
        "children": sorted(place(child) for child in task.child_tasks),
        "stdout": task.stdout,
        "stderr_empty": task.stderr == "",
        "attempt": task.current_attempt,
        "artifacts": sorted(artifact.id for artifact in task if not artifact.id.startswith("_")),
        "metadata": {name: metadata.get(name) for name in METADATA_KEPT},
        "tags": sorted(tag for tag in task.user_tags),
    }


def describe(pathspec):
    metaflow.namespace(None)
    run = Run(pathspec)
    flow = Flow(pathspec.split("/")[0])
    description = {
        "latest_run": flow.latest_run.pathspec == pathspec,
        "latest_successful_run": getattr(flow.latest_successful_run, "pathspec", None) == pathspec,
        "successful": run.successful,
        "finished": run.finished,
        "finished_at": run.finished_at is not None,
        "user_tags": sorted(run.user_tags),
        "end_task": None if run.end_task is None else place(run.end_task),
        "data": None if run.data is None else sorted(n for n in dir(run.data) if not n.startswith("_")),
        "steps": sorted(step.id for step in run),
        "control_tasks": sorted({place(task) for step in run for task in step.control_tasks()}),
        "tasks": {},
    }
    for step in run:
        for task in step:
            # The sizes and the bytes of every artifact must be readable, whatever the comparison does with them.
            for artifact in task:
                assert artifact.size > 0, artifact.pathspec
                artifact.data  # noqa: B018
            description["tasks"][place(task)] = describe_task(task)
    return description


def value(pathspec, name):
    metaflow.namespace(None)
    return getattr(Run(pathspec).data, name)


def call(file, *arguments):
    """Runs one of Metaflow's commands on the flow file and returns its stdout."""
    done = subprocess.run(
        [sys.executable, file, "--no-pylint", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if done.returncode != 0:
        raise SystemExit(
            "%s %s: exit %d\n%s%s" % (file, " ".join(arguments), done.returncode, done.stdout, done.stderr)
        )
    return done.stdout


def commands(file, pathspec):
    metaflow.namespace(None)
    run_id = pathspec.split("/")[1]
    run = Run(pathspec)
    dumped = logged = 0
    with tempfile.TemporaryDirectory() as folder:
        for step in run:
            for task in step:
                # `dump --file` writes a pickle of all artifacts of the task.
                target = os.path.join(folder, "dump")
                call(file, "dump", "%s/%s/%s" % (run_id, step.id, task.id), "--file", target)
                dumped += os.path.getsize(target) > 0
            log = call(file, "logs", "--stdout", "%s/%s" % (run_id, step.id))
            for task in step:
                for line in task.stdout.splitlines():
                    assert line in log, "`logs` of %s lacks %r" % (step.id, line)
                    logged += 1
        ids = os.path.join(folder, "run-id")
        call(file, "resume", "end", "--origin-run-id", run_id, "--run-id-file", ids)
        with open(ids) as opened:
            resumed = Run("%s/%s" % (pathspec.split("/")[0], opened.read().strip()))
    cloned = sum(
        1 for step in resumed for task in step if task.metadata_dict.get("origin-run-id") == run_id
        and "origin-task-id" in task.metadata_dict
    )
    return {
        "dumped": dumped,
        "logged": logged,
        "resumed": resumed.pathspec,
        "resumed_successful": resumed.successful,
        "cloned": cloned,
        "tasks": sum(1 for step in run for _ in step),
    }


def main():
    os.environ.setdefault("METAFLOW_DEFAULT_METADATA", "local")
    what, arguments = sys.argv[1], sys.argv[2:]
    answer = {"describe": describe, "value": value, "commands": commands}[what](*arguments)
    json.dump(answer, sys.stdout, indent=None if what == "value" else 1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
