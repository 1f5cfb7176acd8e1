//! What a run left in the store, for people who ask about it: `flowc status`, `logs` and `sync`.
//!
//! A run's folder is listed once; from the names alone one knows which tasks began, ended and committed. Only what
//! names cannot tell is read: the plan, the counts of foreach splits, and the error lines of as many failed tasks as
//! somebody wants to see. The same holds for runs of every target.

mod find;
mod listing;
pub mod log;
pub mod sync;

use std::collections::HashMap;
use std::sync::Arc;

use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP};
use flowc_protocol::manifest::{Manifest, StepKind};
use futures::{StreamExt, TryStreamExt};

pub use find::{FindError, Name, find, flows, runs};

use crate::commit::{self, Commit, Outcome, Place, Record};
use crate::ending;
use crate::error::TaskError;
use crate::package;
use crate::store::{Store, StoreError};

/// Objects that are read at a time.
const CONCURRENT: usize = 32;

/// A run, as its folder tells it.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The flow.
    pub flow: String,
    /// Run id.
    pub run: String,
    /// Its plan: that of the code package it began with. `None` for a run of `flowc run`, which has no package, and
    /// for one whose first task has not begun.
    pub plan: Option<Arc<Manifest>>,
    /// The task `_parameters`, once it exists.
    pub parameters: Option<TaskRecord>,
    /// In the plan's order, also those that have not begun; without a plan those that have, by time.
    pub steps: Vec<StepRecord>,
}

/// A step of a run.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// Name.
    pub name: String,
    /// Those that have begun, by index.
    pub tasks: Vec<TaskRecord>,
    /// How many tasks there will be, if that is known yet.
    pub expected: Option<u64>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRecord {
    /// `t`, `t-3-1`.
    pub id: String,
    /// Its place in the open foreaches; `None` if the id is not one of ours.
    pub index: Option<IndexPath>,
    /// Ascending.
    pub attempts: Vec<AttemptRecord>,
    /// When its result was committed, milliseconds since the epoch.
    pub committed_ms: Option<u64>,
    /// Number of elements, for a committed foreach split.
    pub count: Option<u32>,
}

/// An attempt of a task. Times are when the store got the object, milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Number.
    pub number: u32,
    /// When it was claimed: user code starts right after.
    pub claimed_ms: Option<u64>,
    /// When its end was recorded.
    pub done_ms: Option<u64>,
    /// Bytes of its standard output in the store.
    pub stdout: u64,
    /// Bytes of its standard error in the store.
    pub stderr: u64,
    /// What its record says; read on demand, see [`explain`].
    pub outcome: Option<Outcome>,
}

/// How far a task is, as far as the store can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Its result is committed.
    Done,
    /// An attempt was claimed and has not recorded its end: it runs, or was lost.
    Running,
    /// The last attempt failed, and another one may follow.
    Retrying,
    /// The last attempt failed.
    Failed,
}

impl TaskRecord {
    /// The last attempt whose failure was recorded.
    pub fn last_ended(&self) -> Option<&AttemptRecord> {
        let mut newest_first = self.attempts.iter().rev();
        newest_first.find(|attempt| attempt.done_ms.is_some())
    }

    /// Why the last ended attempt failed, if [`explain`] has read it.
    pub fn error(&self) -> Option<&str> {
        self.last_ended()?.outcome.as_ref()?.error.as_deref()
    }
}

impl RunRecord {
    /// How far a task of `step` is.
    pub fn state(&self, step: &str, task: &TaskRecord) -> TaskState {
        if task.committed_ms.is_some() {
            return TaskState::Done;
        }
        let Some(last) = task.attempts.last() else {
            return TaskState::Running;
        };
        if last.done_ms.is_none() {
            return TaskState::Running;
        }
        let is_final = last.outcome.as_ref().is_some_and(|seen| seen.is_final);
        let plan = self.plan.as_ref().and_then(|plan| plan.steps.get(step));
        match plan {
            Some(plan) if last.number < ending::last_attempt(plan) && !is_final => {
                TaskState::Retrying
            }
            _ => TaskState::Failed,
        }
    }

    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Whether the last step has committed; without a plan, that is the one called `end`.
    pub fn is_complete(&self) -> bool {
        let end = self.plan.as_ref().map_or("end", |plan| &plan.end);
        let end = self.step(end);
        end.is_some_and(|end| end.tasks.iter().any(|task| task.committed_ms.is_some()))
    }
}

/// Reads what a run left; `None` if there is nothing.
pub async fn run(store: &Store, flow: &str, run: &str) -> Result<Option<RunRecord>, TaskError> {
    run_cached(store, flow, run, &mut Plans::new()).await
}

/// Plans by the name of their code package, which many runs share.
pub type Plans = HashMap<String, Arc<Manifest>>;

/// As [`run`], with the plans that are known already.
pub async fn run_cached(
    store: &Store,
    flow: &str,
    run: &str,
    plans: &mut Plans,
) -> Result<Option<RunRecord>, TaskError> {
    let mut listed = listing::list(store, flow, run).await?;
    if listed.is_empty() {
        return Ok(None);
    }
    let parameters = listed
        .swap_remove(PARAMETERS_STEP)
        .and_then(|tasks| tasks.into_iter().next());
    let plan = match &parameters {
        Some(task) if task.committed_ms.is_some() => {
            let place = Place::new(flow, run, PARAMETERS_STEP, &task.id);
            plan_of(store, &place, plans).await?
        }
        _ => None,
    };
    let mut record = RunRecord {
        flow: flow.to_owned(),
        run: run.to_owned(),
        steps: Vec::with_capacity(listed.len()),
        parameters,
        plan,
    };
    if let Some(plan) = &record.plan {
        for name in plan.steps.keys() {
            let tasks = listed.swap_remove(name).unwrap_or_default();
            record.steps.push(StepRecord {
                name: name.clone(),
                tasks,
                expected: None,
            });
        }
    }
    // Without a plan, in the order in which they began.
    listed.sort_by_cached_key(|_, tasks| {
        let claimed = |task: &TaskRecord| task.attempts.first()?.claimed_ms;
        tasks.iter().filter_map(claimed).min()
    });
    for (name, tasks) in listed {
        record.steps.push(StepRecord {
            name,
            tasks,
            expected: None,
        });
    }
    read_counts(store, &mut record).await?;
    expect(&mut record);
    Ok(Some(record))
}

/// The plan of the package that a run's `_parameters` name.
async fn plan_of(
    store: &Store,
    parameters: &Place,
    plans: &mut Plans,
) -> Result<Option<Arc<Manifest>>, TaskError> {
    let commit = commit::find(store, parameters).await?;
    let Some(package) = commit.and_then(|commit| commit.package) else {
        return Ok(None);
    };
    if let Some(known) = plans.get(&package) {
        return Ok(Some(Arc::clone(known)));
    }
    let plan = Arc::new(package::fetch_plan(store, &package).await?);
    plans.insert(package, Arc::clone(&plan));
    Ok(Some(plan))
}

/// Reads why tasks failed: of each step the first `per_step` of those that have no result and whose last ended attempt
/// failed.
pub async fn explain(
    store: &Store,
    record: &mut RunRecord,
    per_step: usize,
) -> Result<(), StoreError> {
    let mut wanted = Vec::new();
    for (step_at, step) in record.steps.iter().enumerate() {
        let failed = step.tasks.iter().enumerate().filter_map(|(at, task)| {
            let attempt = task.last_ended()?;
            (task.committed_ms.is_none()).then_some((at, &task.id, attempt.number))
        });
        for (task_at, id, number) in failed.take(per_step) {
            let place = Place::new(&record.flow, &record.run, &step.name, id);
            wanted.push((step_at, task_at, number, place));
        }
    }
    let reads = wanted
        .into_iter()
        .map(|(step, task, number, place)| async move {
            let record = read_record(store, &place, number).await?;
            Ok::<_, StoreError>((step, task, number, record))
        });
    let found: Vec<_> = futures::stream::iter(reads)
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    for (step, task, number, read) in found {
        let attempts = &mut record.steps[step].tasks[task].attempts;
        if let Some(attempt) = attempts.iter_mut().find(|it| it.number == number) {
            attempt.outcome = read.and_then(|read| read.ours);
        }
    }
    Ok(())
}

async fn read_record(
    store: &Store,
    place: &Place,
    attempt: u32,
) -> Result<Option<Record>, StoreError> {
    commit::read_json(store, &place.of_attempt(attempt, "data.json")).await
}

/// Reads the counts of the foreach splits that have committed.
async fn read_counts(store: &Store, record: &mut RunRecord) -> Result<(), StoreError> {
    let Some(plan) = record.plan.clone() else {
        return Ok(());
    };
    for step in &mut record.steps {
        let kind = plan.steps.get(&step.name).map(|step| step.kind);
        if kind != Some(StepKind::Foreach) {
            continue;
        }
        let (flow, run, name) = (&record.flow, &record.run, &step.name);
        let reads = step.tasks.iter().map(|task| {
            let place = Place::new(flow, run, name, &task.id);
            let is_committed = task.committed_ms.is_some();
            async move {
                if is_committed {
                    commit::find(store, &place).await
                } else {
                    Ok(None)
                }
            }
        });
        let commits: Vec<Option<Commit>> = futures::stream::iter(reads)
            .buffered(CONCURRENT)
            .try_collect()
            .await?;
        for (task, commit) in step.tasks.iter_mut().zip(commits) {
            task.count = commit.and_then(|commit| commit.count);
        }
    }
    Ok(())
}

/// Finds out how many tasks each step will have: one outside foreaches, else as many as the elements of all tasks that
/// split right around it, once all of those have committed.
fn expect(record: &mut RunRecord) {
    let Some(plan) = record.plan.clone() else {
        return;
    };
    for at in 0..record.steps.len() {
        let Some(known) = plan.steps.get(&record.steps[at].name) else {
            continue;
        };
        let expected = match known.foreach.last() {
            None => Some(1),
            // Each step comes after all its predecessors, so that the split's own number is known.
            Some(split) => record.step(split).and_then(|split| {
                let counts: Vec<_> = split.tasks.iter().filter_map(|task| task.count).collect();
                let is_all = split.expected == Some(counts.len() as u64);
                is_all.then(|| counts.into_iter().map(u64::from).sum())
            }),
        };
        record.steps[at].expected = expected;
    }
}
