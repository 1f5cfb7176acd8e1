"""Runs the one step that this process was started for, and reports what it left."""

import os
import sys

from . import debugger, flowspec, modules, parameters, persist, transitions
from .current import current
from .exceptions import (
    METAFLOW_EXIT_DISALLOW_RETRY,
    CopyOver,
    FailureHandledByCatch,
    Fault,
    MetaflowException,
    MetaflowExceptionWrapper,
    TaskOver,
)
from .foreach import set_stack
from .store import Input, Inputs, InputStore, Store

EXIT_CONFIGURATION = 20
"""The shim's exit code for a task that cannot start as it is configured."""


def _as_it_is(value):
    return value


def _configs(task):
    """Values of the configurations, by name."""
    values = dict(task.get("configs") or {})
    for form, texts in (task.get("config_texts") or {}).items():
        from . import carried

        values.update((name, carried.read(form, text)) for name, text in texts.items())
    return values


def _may_be_retried(error):
    """False for an exit with the code after which Metaflow's runtime tries no more (`runtime.py`, 2.19.39)."""
    code = error.code if isinstance(error, SystemExit) else None
    return not (isinstance(code, int) and code & 0xFF == METAFLOW_EXIT_DISALLOW_RETRY)


class Outcome:
    """What `finish` will say."""

    def __init__(self):
        self.ok = False
        self.error = None
        self.retry = True
        self.fault = None


class Runner:
    """One task, from its frame to `finish`."""

    def __init__(self, wire, task):
        self.wire = wire
        self.task = task
        self._process = os.getpid()
        self.began_to_finish = False
        self.finished = False
        self.inputs = [Input(wire, n, fields) for n, fields in enumerate(task.get("inputs") or ())]
        self.catch = task.get("catch")
        self.targets = list(task.get("next") or ())
        if task.get("iteration") is not None:
            self.targets.append(task["step"])
        transitions.plan = transitions.Plan(
            task["step"],
            task["kind"],
            self.targets,
            task.get("variable"),
            task.get("condition"),
            task.get("empty_foreach"),
        )

    def only_the_task(self, error=None):
        """Does not come back in a process that user code forked; `error` is what it left user code with."""
        if os.getpid() != self._process:
            raise CopyOver(error)

    def take_over(self, flow):
        """Called where the flow file calls a flow."""
        self.only_the_task()
        if self.began_to_finish or type(flow).__name__ != self.task["flow"]:
            return
        self.run(flow)
        raise TaskOver

    def run(self, flow):
        """Runs the step on `flow` and finishes the task."""
        outcome = Outcome()
        try:
            body, arguments = self._prepare(flow)
        except Fault as fault:
            outcome.fault = fault
        except Exception as error:
            self.only_the_task(error)
            # Nothing of this depends on the attempt: a parameter, the plan.
            outcome.error = error
            outcome.retry = False
        else:
            self._call(flow, body, arguments, outcome)
        self._finish(flow, outcome)

    def fail(self, error):
        """Finishes a task whose flow file ended before it called its flow."""
        flow = flowspec.FlowSpec(use_cli=False)
        flow.name = self.task["flow"]
        self._begin(flow)
        outcome = Outcome()
        if isinstance(error, Fault):
            outcome.fault = error
        else:
            outcome.error = debugger.explained(error)
            outcome.retry = _may_be_retried(error)
        self._finish(flow, outcome)

    def _begin(self, flow):
        flow._datastore = Store()
        flow._loaded = {}
        flow._current_step = self.task["step"]
        flow._success = False
        flow._task_ok = None
        flow._exception = None
        flow._foreach_var = None
        flow._foreach_num_splits = None
        flow._chosen = None
        flow._gang_size = None
        iteration = self.task.get("iteration")
        flow._iteration_stack = [] if iteration is None else [iteration]
        if self.task.get("start"):
            flow._foreach_stack = []

    def _prepare(self, flow):
        task = self.task
        self._begin(flow)
        self.configured = "flowc.configs" in sys.modules
        mutated = False
        if self.configured:
            from .mutators import prepare

            mutated = prepare(type(flow), _configs(task), task.get("attached") or ())
        body = getattr(flow, task["step"], None)
        if not callable(body):
            raise Fault(
                EXIT_CONFIGURATION, "`%s` has no step `%s`" % (task["flow"], task["step"])
            )
        declared = flowspec.declared_parameters(type(flow))
        if mutated:
            # As in Metaflow, which then has put the configurations aside.
            declared.sort(key=lambda each: not each[1].IS_CONFIG_PARAMETER)
        constants = flowspec.declared_constants(type(flow))
        if task.get("start") and task.get("parameters") is not None:
            self.inputs = [self._first_input(flow, declared, constants)]
        if not self.inputs:
            raise Fault(EXIT_CONFIGURATION, "step `%s` was given no inputs" % task["step"])
        first = self.inputs[0]
        for name, parameter in declared:
            wrap = getattr(parameter, "wrap", _as_it_is)
            flowspec.make_read_only(
                type(flow), name, lambda name=name, wrap=wrap: wrap(first.load(name))
            )
        for name, value in constants:
            flowspec.make_read_only(type(flow), name, lambda value=value: value)
        flowspec.make_read_only(type(flow), "_graph_info", lambda: first.load("_graph_info"))
        names = [name for name, _ in declared]
        self._fill_current(flow, names)
        set_stack(flow, task, self.inputs)
        if task["kind"] != "join":
            flow._datastore.inherit(first)
            if task.get("gang"):
                from . import gang

                gang.mark(flow, task)
            return body, ()
        passed_down = names + [name for name, _ in constants] + ["_graph_info"]
        flow._datastore.inherit(first, passed_down)
        parents = [] if task.get("empty") else self.inputs
        return body, (Inputs([(parent.step, self._view(flow, parent)) for parent in parents]),)

    def _view(self, flow, parent):
        view = object.__new__(type(flow))
        view._prepare(InputStore(parent))
        return view

    def _first_input(self, flow, declared, constants):
        """Stores the pseudo task `_parameters` and returns it as an input."""
        task = self.task
        given = task["parameters"]
        graph_info = dict(task.get("graph_info") or {})
        values = {}
        if self.configured:
            from .inserted import tell

            values.update(type(flow)._config_values)
            tell(graph_info, type(flow))
        read = [(name, one) for name, one in declared if not one.IS_CONFIG_PARAMETER]
        values.update(
            parameters.values(
                read,
                given,
                task["flow"],
                task.get("username"),
                task.get("ds_type"),
                task.get("origins"),
            )
        )
        for step in graph_info.get("steps", {}).values():
            if "switch_cases" in step:
                step["switch_cases"] = dict(step["switch_cases"])
        graph_info["parameters"] = [
            {"name": name, "type": type(parameter).__name__} for name, parameter in declared
        ]
        graph_info["constants"] = [
            {"name": name, "type": type(value).__name__} for name, value in constants
        ]
        for name in flowspec.own_artifacts(flow):
            if name not in flow.__dict__:
                values[name] = getattr(flow, name)  # constants, and what else the class holds
        values.update(
            name=task["flow"],
            _foreach_stack=[],
            _graph_info=graph_info,
            _success=True,
            _task_ok=True,
            _transition=None,
        )
        spool = persist.Spool(task["spool_dir"], "parameters", self.wire)
        for name in sorted(values):
            self.wire.send(persist.frame(name, values[name], spool))
        answer = self.wire.ask({"op": "parameters"})
        fields = {"step": "_parameters", "objects": answer["objects"]}
        return Input(self.wire, 0, fields)

    def _fill_current(self, flow, parameter_names):
        task = self.task
        values = {
            "flow_name": task["flow"],
            "run_id": task["run_id"],
            "step_name": task["step"],
            "task_id": task["task_id"],
            "retry_count": task["attempt"],
            "origin_run_id": task.get("origin_run_id"),
            "namespace": task.get("namespace"),
            "username": task.get("username"),
            "tags": set(task.get("tags") or ()),
            "parameter_names": parameter_names,
        }
        project = task.get("project")
        if project:
            name, branch = project["name"], project["branch"]
            values["project_name"] = name
            values["branch_name"] = branch
            values["is_user_branch"] = branch.startswith("user.")
            values["is_production"] = branch == "prod" or branch.startswith("prod.")
            values["project_flow_name"] = "%s.%s.%s" % (name, branch, task["flow"])
        if task.get("gang"):
            values["is_parallel"] = True
        if task.get("triggers"):
            from .events import Trigger

            values["trigger"] = Trigger(self.wire, task["triggers"])
        current._fill(values, lambda: flow._graph_info, lambda: flowspec.has_gangs(type(flow)))
        if task.get("client_namespace") is not None:
            modules.use_namespace(task["client_namespace"])

    def _call(self, flow, body, arguments, outcome):
        task = self.task
        variable = self.catch and self.catch.get("variable")
        try:
            if task.get("secrets"):
                from . import vault

                vault.inject(task["secrets"], self.wire)
            if self.catch and task["attempt"] > task["retries"]:
                raise FailureHandledByCatch(task["attempt"])
            if task.get("timeout_s"):
                from .timeout import limit

                with limit(task["timeout_s"], task["step"], self.wire):
                    self._run_body(flow, body, arguments)
            else:
                self._run_body(flow, body, arguments)
            self.only_the_task()
            if variable:
                setattr(flow, variable, None)
        except CopyOver:
            raise
        except Fault as fault:
            outcome.fault = fault
            return
        except BaseException as error:
            self.only_the_task(error)
            error = debugger.explained(error)
            outcome.error = error
            outcome.retry = _may_be_retried(error)
            if self.catch and isinstance(error, Exception) and task.get("last_attempt"):
                self._caught(flow, variable, error)
                outcome.ok = True
                outcome.error = None
            return
        if flow._transition is None and self.targets:
            try:
                transitions.check([], None)
            except MetaflowException as error:
                outcome.error = error
                outcome.retry = False
                return
        flow._success = True
        outcome.ok = True

    def _run_body(self, flow, body, arguments):
        wrappers = getattr(body, "wrappers", None)
        if not wrappers:
            body(*arguments)
            return
        from . import user_steps

        user_steps.run(
            body.__func__, flow, body, arguments, lambda options: self._replay(flow, options)
        )

    def _replay(self, flow, options):
        """Calls `self.next` in the place of a body that did not."""
        if not self.targets:
            return
        flow._transition = None
        if not options and self.task.get("variable") == "_parallel_ubf_iter":
            raise RuntimeError(
                "Skipping a parallel foreach step without providing the arguments to the self.next "
                "call is not supported."
            )
        if not options and self.task.get("variable"):
            options = {"foreach": self.task["variable"]}
        flow.next(*[getattr(flow, name) for name in self.targets], **options)

    def _caught(self, flow, variable, error):
        wrapped = MetaflowExceptionWrapper(error)
        if self.catch.get("print_exception", True):
            head = "@catch caught an exception from %s" % flow
            lines = (wrapped.stacktrace or str(wrapped)).splitlines()
            print("\n>  ".join([head] + lines), file=sys.stderr)
        flow._transition = (self.targets, None)
        flow._catch_exception = wrapped
        if variable:
            setattr(flow, variable, wrapped)

    def _finish(self, flow, outcome):
        self.only_the_task(outcome.error)
        self.began_to_finish = True
        report = persist.persist(flow, self.task, self.wire, outcome)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        # From here on the other side may leave: the answer is all that is still wanted of it.
        self.wire.over = True
        self.wire.ask(report)
        self.finished = True
