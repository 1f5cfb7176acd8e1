"""Distributed maps: each iteration is an execution of its own, as on AWS.

moto runs iterations inside the parent and lets the parent succeed when one of them fails.
"""

import copy
import datetime
import re
import threading
import uuid

from moto.stepfunctions.parser.api import HistoryEventType

_lock = threading.Lock()
_by_map_run = {}
_by_arn = {}


class Child:
    """One iteration, in the form of an execution."""

    def __init__(self, map_run, arn, name, history):
        self.map_run, self.arn, self.name, self.history = map_run, arn, name, history
        self.status = "RUNNING"
        self.input = None
        self.output = self.error = self.cause = None
        self.started = datetime.datetime.now(datetime.UTC)
        self.stopped = None

    def end(self, status, output=None, error=None):
        self.status, self.output = status, output
        self.error, self.cause = (error or {}).get("error"), (error or {}).get("cause")
        self.stopped = datetime.datetime.now(datetime.UTC)


def of_map_run(arn):
    with _lock:
        return list(_by_map_run.get(arn, []))


def by_arn(arn):
    with _lock:
        return _by_arn.get(arn)


def _adopt(child):
    with _lock:
        _by_map_run.setdefault(child.map_run, []).append(child)
        _by_arn[child.arn] = child


def _enter(worker, env):
    """The child's own identity: nothing of the parent is seen but what the selector gave."""
    context = env.states.context_object.context_object_data
    execution = dict(context["Execution"])
    parts = execution["Id"].split(":")
    label = re.sub(r"[^A-Za-z0-9]", "", worker._work_name)[:40]
    name = str(uuid.uuid4())
    execution["Id"] = ":".join([*parts[:6], f"{parts[6]}/{label}", name])
    execution["Name"] = name
    execution["Input"] = copy.deepcopy(env.stack[-1])
    context["Execution"] = execution
    context.pop("Map", None)
    child = Child(worker._map_run_record.map_run_arn, execution["Id"], name, env.event_manager)
    child.input = execution["Input"]
    _adopt(child)
    return child


def install(module, failure):
    path = "component.state.exec.state_map.iteration."
    worker = module(path + "itemprocessor.distributed_item_processor_worker").DistributedItemProcessorWorker
    inline = module(path + "itemprocessor.inline_item_processor_worker").InlineItemProcessorWorker
    component = module(path + "distributed_iteration_component").DistributedIterationComponent
    pool_class = module(path + "job").JobPool
    states = module("eval.program_state")
    map_data = module("eval.states")
    event_manager = module("eval.event.event_manager").EventManager
    variables = module("eval.variable_store").VariableStore
    kinds = module("component.common.error_name.states_error_name_type").StatesErrorNameType

    def run_child(self, env, job):
        items = self._map_run_record.item_counter
        executions = self._map_run_record.execution_counter
        for counter in (items, executions):
            counter.total.count()
            counter.running.count()
        env.event_manager = event_manager()
        env.variable_store = variables()
        child, outcome = None, "failed"
        try:
            item = map_data.ItemData(Index=job.job_index, Value=job.job_input)
            env.states.context_object.context_object_data["Map"] = map_data.MapData(Item=item)
            env.states.reset(job.job_input)
            env.stack.append(env.states.get_input())
            inline._eval_input(self, env)
            child = _enter(self, env)
            job.job_program.eval(env)
            state = env.program_state()
            if isinstance(state, states.ProgramError):
                child.end("FAILED", error=state.error)
            elif isinstance(state, states.ProgramStopped):
                outcome = "aborted"
                child.end("ABORTED")
            elif isinstance(state, states.ProgramTimedOut):
                outcome = "timed_out"
                child.end("TIMED_OUT")
            else:
                outcome = "succeeded"
                job.job_output = env.states.get_input()
                child.end("SUCCEEDED", output=job.job_output)
        except Exception as error:  # noqa: BLE001 - the interpreter's own trouble is the child's
            if child is not None:
                child.end("FAILED", error={"error": "States.Runtime", "cause": repr(error)})
        finally:
            for counter in (items, executions):
                counter.running.offset(-1)
                getattr(counter, outcome).count()
            if outcome == "failed":
                self._job_pool.give_up()

    def run_map(self, env, eval_input):
        items = env.stack.pop()
        tolerated = eval_input.tolerated_failure_count or 0
        percentage = eval_input.tolerated_failure_percentage or 0

        class Pool(pool_class):
            def give_up(self):
                """No further child starts once too many have failed."""
                failed = eval_input.map_run_record.item_counter.failed.get()
                if failed > tolerated and 100.0 * failed / len(items) > percentage:
                    with self._mutex:
                        self._jobs_number -= len(self._open_jobs)
                        self._open_jobs.clear()

        pool = Pool(job_program=self._get_iteration_program(), job_inputs=items)
        at_once = eval_input.map_run_record.max_concurrency or 10_000
        for _ in range(min(len(items), at_once, 64)):
            self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
        if items:
            pool.await_jobs()
        if pool.get_worker_exception() is not None:
            raise pool.get_worker_exception()
        failed = eval_input.map_run_record.item_counter.failed.get()
        if failed > tolerated and 100.0 * failed / len(items) > percentage:
            cause = "The specified tolerated failure threshold was exceeded"
            raise failure(env, kinds.StatesExceedToleratedFailureThreshold, cause, HistoryEventType.MapRunFailed)
        env.stack.append([job.job_output for job in pool.get_closed_jobs()])

    worker._eval_job = run_child
    component._map_run = run_map
