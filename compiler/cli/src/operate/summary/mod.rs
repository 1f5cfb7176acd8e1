//! What became of a run: the orchestrator's word on the whole, the store's on each task.
//!
//! The store knows what was committed and what user code said when it failed; only the orchestrator knows of tasks that
//! never began or were lost without a word.

mod text;

use flowc_protocol::identity::IndexPath;
use flowc_target::deploy::{RunState, Trouble};
use flowc_task::history::{self, RunRecord, StepRecord, TaskRecord, TaskState};
use serde::Serialize;

use crate::store;

/// Failed tasks that are listed; the others are counted.
const FAILURES_SHOWN: usize = 10;

/// A run at a glance.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    flow: String,
    run: String,
    /// What the orchestrator calls it; `None` if it knows no such run (any more).
    native: Option<String>,
    phase: Option<String>,
    started_ms: Option<i64>,
    ended_ms: Option<i64>,
    /// Why it failed or waits, in the orchestrator's words.
    reason: Option<String>,
    /// Where to look at it in a browser.
    page: Option<String>,
    /// In the plan's order; empty as long as no task has begun.
    steps: Vec<StepCount>,
    /// The first failures, step by step.
    failures: Vec<Failure>,
    /// How many failed tasks are not listed.
    more_failures: usize,
    #[serde(skip)]
    is_over: bool,
}

/// The tasks of a step.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct StepCount {
    step: String,
    /// `None` as long as a foreach split before it has not said how many.
    expected: Option<u64>,
    done: u64,
    running: u64,
    failed: u64,
    /// Those that have not begun; `None` if `expected` is.
    waiting: Option<u64>,
}

/// A task that failed, or trouble with a step before any task of it began.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Failure {
    step: String,
    /// `None` if the orchestrator does not know which task.
    task: Option<String>,
    attempt: Option<u32>,
    /// The line of the user's own failure, else what the orchestrator saw.
    error: String,
    /// What the orchestrator adds to it.
    orchestrator: Option<String>,
    /// Whether another attempt may follow.
    may_retry: bool,
}

const LOST: &str =
    "it was lost before it could say why: its process was killed, or its machine went away";

/// Reads what a run left in the store, with why its first failed tasks failed; `None` if there is nothing.
pub(crate) async fn record(url: &str, flow: &str, run: &str) -> anyhow::Result<Option<RunRecord>> {
    let store = store::open(url).await?;
    let mut record = history::run(&store, flow, run).await?;
    if let Some(record) = &mut record {
        history::explain(&store, record, FAILURES_SHOWN).await?;
    }
    Ok(record)
}

impl Summary {
    /// Puts both together; `record` is `None` as long as nothing is in the store.
    pub(crate) fn new(
        flow: &str,
        run: &str,
        record: Option<&RunRecord>,
        state: Option<&RunState>,
    ) -> Self {
        let mut summary = Self {
            flow: flow.to_owned(),
            run: run.to_owned(),
            native: state.map(|state| state.run.native.clone()),
            phase: state.map(|state| state.phase.to_string()),
            started_ms: state.and_then(|state| state.started_ms),
            ended_ms: state.and_then(|state| state.ended_ms),
            reason: state.and_then(|state| state.reason.clone()),
            page: state.and_then(|state| state.page.clone()),
            steps: Vec::new(),
            failures: Vec::new(),
            more_failures: 0,
            is_over: state.is_some_and(|state| state.phase.is_end()),
        };
        let troubles = state.map_or(&[][..], |state| &state.troubles);
        if let Some(record) = record {
            for step in &record.steps {
                summary.count(record, step, troubles);
            }
        }
        let is_over = summary.is_over;
        let untold = troubles
            .iter()
            .filter(|trouble| !is_told(trouble, record, is_over));
        for trouble in untold {
            summary.fail(Failure {
                step: trouble.step.clone(),
                task: trouble.index.as_ref().map(IndexPath::task_id),
                attempt: None,
                error: trouble.cause.clone(),
                orchestrator: None,
                may_retry: !trouble.is_final && !summary.is_over,
            });
        }
        summary
    }

    fn count(&mut self, record: &RunRecord, step: &StepRecord, troubles: &[Trouble]) {
        let begun = step.tasks.len() as u64;
        let mut count = StepCount {
            step: step.name.clone(),
            expected: step.expected,
            done: 0,
            running: 0,
            failed: 0,
            waiting: step.expected.map(|expected| expected.saturating_sub(begun)),
        };
        for task in &step.tasks {
            let state = record.state(&step.name, task);
            match state {
                TaskState::Done => {
                    count.done += 1;
                    continue;
                }
                TaskState::Running if !self.is_over => {
                    count.running += 1;
                    continue;
                }
                // It waits for its next attempt, and people want to know why.
                TaskState::Retrying if !self.is_over => count.running += 1,
                TaskState::Running | TaskState::Retrying | TaskState::Failed => count.failed += 1,
            }
            self.fail(failure(step, task, state, troubles, self.is_over));
        }
        self.steps.push(count);
    }

    fn fail(&mut self, failure: Failure) {
        if self.failures.len() < FAILURES_SHOWN {
            self.failures.push(failure);
        } else {
            self.more_failures += 1;
        }
    }

    /// For scripts.
    pub(crate) fn json(&self) -> anyhow::Result<String> {
        Ok(format!("{}\n", serde_json::to_string_pretty(self)?))
    }
}

fn failure(
    step: &StepRecord,
    task: &TaskRecord,
    state: TaskState,
    troubles: &[Trouble],
    is_over: bool,
) -> Failure {
    let seen = troubles
        .iter()
        .rev()
        .find(|trouble| trouble.step == step.name && trouble.index == task.index)
        .map(|trouble| trouble.cause.clone());
    let last = task.attempts.last();
    // The error of an earlier attempt says nothing of one that was lost.
    let said = match state {
        TaskState::Running => None,
        TaskState::Done | TaskState::Retrying | TaskState::Failed => task.error(),
    };
    let (error, orchestrator) = match (said, seen) {
        // Some orchestrators repeat what the task reported to them.
        (Some(said), seen) => (said.to_owned(), seen.filter(|seen| !seen.contains(said))),
        (None, Some(seen)) => (seen, None),
        (None, None) if state == TaskState::Running => (LOST.to_owned(), None),
        (None, None) => (
            "it failed; `flowc logs` shows what it printed".to_owned(),
            None,
        ),
    };
    Failure {
        step: step.name.clone(),
        task: Some(task.id.clone()),
        attempt: last.map(|attempt| attempt.number),
        error,
        orchestrator,
        may_retry: state == TaskState::Retrying && !is_over,
    }
}

/// Whether what the store says covers a trouble: its task is listed or done, or all of its step's are done.
/// Where a task is done and the orchestrator gave it up all the same, that is news.
fn is_told(trouble: &Trouble, record: Option<&RunRecord>, is_over: bool) -> bool {
    let Some(step) = record.and_then(|record| record.step(&trouble.step)) else {
        return false;
    };
    if trouble.index.is_none() {
        let done = step.tasks.iter().filter(|task| task.committed_ms.is_some());
        return step.expected == Some(done.count() as u64) && !trouble.is_final;
    }
    // One that runs may still be in trouble: its container cannot start again.
    let is_listed = |task: &TaskRecord| is_over || task.last_ended().is_some();
    let is_told = |task: &TaskRecord| match task.committed_ms {
        Some(_) => !trouble.is_final,
        None => is_listed(task),
    };
    step.tasks
        .iter()
        .any(|task| task.index == trouble.index && is_told(task))
}

#[cfg(test)]
mod tests;
