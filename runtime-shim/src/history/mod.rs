//! What a run left in the store, for people who ask about it: `flowc status`, `logs` and `sync`.
//!
//! A run's folder is listed once; from the names alone one knows which tasks began, ended and committed. Only what
//! names cannot tell is read: the plan, the counts of foreach splits, and the error lines of as many failed tasks as
//! somebody wants to see. The same holds for runs of every target.

mod find;
mod listing;
pub mod log;
mod origin;
mod read;
pub mod sync;

use std::sync::Arc;

use flowc_protocol::identity::IndexPath;
use flowc_protocol::manifest::Manifest;

pub use find::{FindError, Name, find, flows, runs};
pub use origin::Origins;
pub use read::{Plans, explain, read_record, run, run_cached};

use crate::commit::Outcome;
use crate::ending;

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
    /// `t`, `t-3-1`, `t.0`.
    pub id: String,
    /// Its place in the open foreaches; `None` if the id is not one of ours.
    pub index: Option<IndexPath>,
    /// Its iteration, if its step may choose itself again.
    pub iteration: Option<u32>,
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
