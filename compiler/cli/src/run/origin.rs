//! The run that `flowc resume` goes on from: found, and looked at before anything is begun.

use std::path::Path;

use anyhow::Context;
use flowc_core::diag::{Code, Diagnostic, Severity, suggest};
use flowc_core::ir::plan::Plan;
use flowc_local::place;
use flowc_protocol::identity::PARAMETERS_STEP;
use flowc_task::commit::{self, Commit};
use flowc_task::history::sync::{self, Syncer};
use flowc_task::history::{self, FindError, RunRecord, TaskState};
use flowc_task::store::{Store, StoreError};

use crate::parameters::Command;
use crate::place::Origin as Kind;
use crate::run::arguments::{Arguments, RESUME_OPTIONS};
use crate::run::findings::Findings;
use crate::run::session::Machine;
use crate::run::variables::OF_METAFLOW;

/// Failed tasks whose last words are shown, per step.
const EXPLAINED: usize = 5;

/// Reads the run to resume; the finding that says why there is none.
pub(crate) async fn find(
    machine: &Machine,
    plan: &Plan,
    arguments: &Arguments,
    findings: &Findings<'_>,
) -> anyhow::Result<Result<RunRecord, Diagnostic>> {
    if let Some(found) = arguments
        .step
        .as_ref()
        .and_then(|step| unknown_step(plan, step))
    {
        return Ok(Err(found));
    }
    let store = &machine.store;
    let run = match named(machine, plan, arguments.origin_run_id.as_deref()).await? {
        Ok(run) => run,
        Err(found) => return Ok(Err(found)),
    };
    let shown = format!("{}/{run}", plan.flow);
    // Before its steps, since what is read of them depends on it.
    let began = match began(store, plan, &run).await {
        Ok(began) => began,
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    let mut record = match history::run(store, &plan.flow, &run).await {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(Err(nothing(&shown, store))),
        Err(error) => return Ok(Err(troubled(error.to_string()))),
    };
    if is_foreign(&record) {
        return Ok(Err(foreign(&shown)));
    }
    if place::is_held(&machine.metadata_root().join(&plan.flow).join(&run)) {
        return Ok(Err(going_on(&shown)));
    }
    let Some(began) = began else {
        return Ok(Err(nothing(&shown, store)));
    };
    if let Some(found) = new_parameter(plan, &began, &shown) {
        return Ok(Err(found));
    }
    if Kind::of(&run) == Kind::Orchestrator {
        if let Some(task) = running(&record) {
            findings.show_one(perhaps_going_on(&shown, &task));
        }
        enter(machine, &record).await?;
    }
    match history::explain(store, &mut record, EXPLAINED).await {
        Ok(()) => Ok(Ok(record)),
        Err(error) => Ok(Err(unreadable(&error))),
    }
}

/// The id of the run that is meant.
async fn named(
    machine: &Machine,
    plan: &Plan,
    given: Option<&str>,
) -> anyhow::Result<Result<String, Diagnostic>> {
    let Some(given) = given else {
        let flow = machine.metadata_root().join(&plan.flow);
        return Ok(match place::latest_run(&flow) {
            Ok(Some(run)) => Ok(run),
            Ok(None) => Err(none_yet(plan, &flow)),
            Err(source) => {
                let file = flow.join("latest_run");
                Err(troubled(format!(
                    "cannot read {}: {source}",
                    file.display()
                )))
            }
        });
    };
    let store = &machine.store;
    if !given.contains('/') {
        let runs = match history::runs(store, &plan.flow).await {
            Ok(runs) => runs,
            Err(error) => return Ok(Err(unreadable(&error))),
        };
        if runs.iter().any(|run| run == given) {
            return Ok(Ok(given.to_owned()));
        }
    }
    let found = match history::find(store, given).await {
        Ok(found) => found,
        Err(FindError::Store(error)) => return Ok(Err(unreadable(&error))),
        Err(error) => {
            let message = error.to_string();
            return Ok(Err(Diagnostic::new(Code::FC4020, Severity::Error, message)
                .help("name another store by `--store`, or the run as FLOW/RUN")));
        }
    };
    if found.flow != plan.flow {
        let message = format!(
            "{given} is a run of `{}`, not of `{}`",
            found.flow, plan.flow
        );
        return Ok(Err(Diagnostic::new(Code::FC4023, Severity::Error, message)
            .help("a run is resumed with the flow that it is a run of")));
    }
    if found.step.is_some() {
        let message = format!("{given} is a part of a run");
        return Ok(Err(Diagnostic::new(Code::FC4020, Severity::Error, message)
            .help(format!(
                "name the run, as in {}/{}; the step to rerun follows the flow: `flowc resume FLOW STEP`",
                found.flow, found.run
            ))));
    }
    Ok(Ok(found.run))
}

/// What the run began with, if it came so far.
async fn began(store: &Store, plan: &Plan, run: &str) -> Result<Option<Commit>, StoreError> {
    let place = commit::Place::new(&plan.flow, run, PARAMETERS_STEP, "t");
    commit::find_or_set_aside(store, &place).await
}

/// A parameter that the run has no value for.
fn new_parameter(plan: &Plan, began: &Commit, shown: &str) -> Option<Diagnostic> {
    let missing = plan
        .parameters
        .iter()
        .find(|parameter| !began.data.objects.contains_key(&parameter.attribute));
    missing.map(|parameter| {
        Diagnostic::error(
            Code::FC4026,
            format!("parameter `{}` is new since {shown}", parameter.name),
            parameter.span,
            "that run has no value for it",
        )
        .help("start a new run: a resumed one has the parameters of its origin")
    })
}

/// Whether Metaflow itself made the run: it numbers tasks, and commits nothing.
fn is_foreign(record: &RunRecord) -> bool {
    let mut tasks = record
        .steps
        .iter()
        .flat_map(|step| &step.tasks)
        .chain(&record.parameters);
    tasks.any(|task| task.index.is_none() && task.committed_ms.is_none())
}

/// A task that has begun and not ended.
fn running(record: &RunRecord) -> Option<String> {
    record.steps.iter().find_map(|step| {
        let mut tasks = step.tasks.iter();
        let task = tasks.find(|task| record.state(&step.name, task) == TaskState::Running)?;
        Some(format!("{}/{}", step.name, task.id))
    })
}

/// Makes a run of an orchestrator visible to Metaflow's client, which looks at the origins of tasks.
async fn enter(machine: &Machine, record: &RunRecord) -> anyhow::Result<()> {
    let syncer = Syncer {
        root: machine.metadata_root().to_owned(),
        user: machine.local.user(),
        system_tags: vec![concat!("flowc_version:", env!("CARGO_PKG_VERSION")).to_owned()],
    };
    let entered = sync::enter(&machine.store, record, &syncer).await;
    entered.with_context(|| format!("cannot enter {} for Metaflow's client", record.run))?;
    Ok(())
}

fn error(code: Code, message: String) -> Diagnostic {
    Diagnostic::new(code, Severity::Error, message)
}

fn none_yet(plan: &Plan, flow: &Path) -> Diagnostic {
    error(
        Code::FC4020,
        format!("{} has no run in {}", plan.flow, flow.display()),
    )
    .help("name the run by `--origin-run-id`, and its store by `--store`")
}

fn nothing(shown: &str, store: &Store) -> Diagnostic {
    error(
        Code::FC4020,
        format!("{shown} left nothing to resume in {}", store.url()),
    )
    .note("it ended before its parameters were saved")
    .help("start a new run")
}

/// What to say of a step that the flow does not have.
pub(crate) fn unknown_step(plan: &Plan, step: &str) -> Option<Diagnostic> {
    let names = || plan.steps.iter().map(|(_, known)| known.name.as_str());
    if names().any(|name| name == step) {
        return None;
    }
    let found = error(
        Code::FC4021,
        format!("flow `{}` has no step `{step}`", plan.flow),
    );
    Some(match suggest::closest(step, names()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
    })
}

fn going_on(shown: &str) -> Diagnostic {
    error(Code::FC4022, format!("{shown} goes on"))
        .help("wait until it has ended, or stop it by Ctrl-C")
}

fn perhaps_going_on(shown: &str, task: &str) -> Diagnostic {
    let message = format!("{task} of {shown} has begun and not ended");
    Diagnostic::new(Code::FC4022, Severity::Warning, message)
        .note("if the orchestrator still runs it, the same work is done twice")
}

fn foreign(shown: &str) -> Diagnostic {
    error(Code::FC4025, format!("{shown} was made by Metaflow itself"))
        .help("resume it with Metaflow, `python FLOW.py resume`; or start a new run")
}

/// Why the origin cannot be read: its parameters are damaged, or the store is in trouble, which says nothing of what is
/// in it.
pub(crate) fn unreadable(trouble: &StoreError) -> Diagnostic {
    let StoreError::Corrupt { .. } = trouble else {
        return troubled(trouble.to_string());
    };
    error(Code::FC4024, trouble.to_string())
        .note("without its parameters the run cannot be gone on with here; nothing was begun")
        .help("start a new run")
}

fn troubled(trouble: String) -> Diagnostic {
    error(Code::FC4030, trouble)
        .note("nothing was begun, and what the run has left is as it was")
        .help("resume again once the store can be read and written")
}

/// Values for parameters on the command line of `flowc resume`, or options of Metaflow's that it does not have.
pub(crate) fn fixed_parameter(name: &str) -> Diagnostic {
    let command = Command {
        name: "flowc resume",
        options: RESUME_OPTIONS,
        foreign: OF_METAFLOW,
    };
    if let Some(instead) = command.instead_of(name) {
        let message = format!("`{}` has no option `--{name}`", command.name);
        return error(Code::FC4002, message).help(instead);
    }
    error(
        Code::FC4026,
        format!("`--{name}`: a resumed run has the parameters of its origin"),
    )
    .help("to run with other values, start a new run by `flowc run`")
}
