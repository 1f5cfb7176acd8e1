//! The scheduler: starts what is ready, at most so many tasks at once, and decides what a task's end means for the run.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::IndexPath;
use flowc_protocol::manifest::Manifest;
use flowc_task::gang::Gang;
use flowc_task::signals::{Stop, Urgency};
use flowc_task::task::TaskReport;
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use crate::ready::{Ready, TaskName};
use patience::{PATIENCE, Trouble};

/// Runs one attempt of one task.
#[async_trait]
pub trait RunTask: Send + Sync {
    /// Runs it to its end; `start` is 0 for the first start in this run, 1 for the next. A node of a gang ends with the
    /// others, whom it finds in `gang`.
    async fn run(
        &self,
        step: &str,
        index: IndexPath,
        start: u32,
        gang: Option<Arc<Gang>>,
    ) -> TaskReport;
}

/// Limits of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tasks at once; a gang counts as one, as in Metaflow, and its nodes all run at the same time.
    ///
    /// 16 by default, as in Metaflow: tasks often wait for a network or a disk, and a machine with fewer cores shares them out.
    pub max_workers: usize,
    /// The widest foreach that is run; 100 by default, as in Metaflow.
    pub max_num_splits: u32,
    /// When the next attempt of a task starts.
    pub retries: Retries,
}

/// When a task that failed is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retries {
    /// At once, as Metaflow's own runtime on a machine does, whatever `@retry` says of minutes.
    #[default]
    AtOnce,
    /// After the pause that `@retry` says, as on an orchestrator.
    AfterPause,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_workers: 16,
            max_num_splits: 100,
            retries: Retries::default(),
        }
    }
}

/// Hears how the run goes.
pub trait Watcher: Send + Sync {
    /// A task starts.
    fn started(&self, _step: &str, _index: &IndexPath) {}
    /// A task committed; `expected` says how many tasks each step will have, as far as known.
    fn committed(&self, _step: &str, _index: &IndexPath, _adopted: bool) {}
    /// A step is now known to have this many tasks.
    fn expected(&self, _step: &str, _tasks: u32) {}
    /// An attempt failed and another follows, after a pause if that is not zero.
    fn retrying(&self, _step: &str, _index: &IndexPath, _report: &TaskReport, _pause: Duration) {}
    /// A task failed for good.
    fn failed(&self, _step: &str, _index: &IndexPath, _report: &TaskReport) {}
}

/// A task that failed for good.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its step.
    pub step: String,
    /// Its place.
    pub index: IndexPath,
    /// What it said.
    pub report: TaskReport,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The last step committed.
    Done,
    /// Tasks failed; in the order in which they did.
    Failed(Vec<Failure>),
    /// A foreach was wider than [`Limits::max_num_splits`].
    TooWide {
        /// The step that splits.
        step: String,
        /// Its place.
        index: IndexPath,
        /// Number of elements.
        count: u32,
    },
    /// Stopped from outside; these tasks were running.
    Interrupted(Vec<String>),
}

/// Longest that a killed task may take to be recorded.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs the flow's tasks to the end of the run.
///
/// After a failure nothing new starts, and what runs may finish.
pub async fn schedule(
    manifest: &Manifest,
    runner: Arc<dyn RunTask>,
    limits: Limits,
    watcher: Arc<dyn Watcher>,
    stop: Stop,
) -> Ending {
    let ready = Ready::new(manifest);
    schedule_from(manifest, ready, runner, limits, watcher, stop).await
}

/// As [`schedule`], for a run of which some tasks have committed: `ready` knows which.
pub async fn schedule_from(
    manifest: &Manifest,
    ready: Ready,
    runner: Arc<dyn RunTask>,
    limits: Limits,
    watcher: Arc<dyn Watcher>,
    stop: Stop,
) -> Ending {
    let mut run = Run {
        manifest,
        ready,
        runner,
        watcher,
        limits,
        tasks: JoinSet::new(),
        running: HashMap::new(),
        halt: watch::Sender::new(false),
        failures: Vec::new(),
        too_wide: None,
        interrupted: Vec::new(),
    };
    let mut told = stop.clone();
    let mut told = pin!(told.requested(Urgency::Soon).fuse());
    let mut killed = stop.clone();
    let mut given_up = pin!(async {
        killed.requested(Urgency::Now).await;
        tokio::time::sleep(LAST_WORDS).await;
    });
    loop {
        let stopped = stop.urgency() != Urgency::None;
        if stopped {
            run.halt.send_replace(true);
        }
        run.start_ready();
        if run.running.is_empty() {
            return run.ending(stopped);
        }
        tokio::select! {
            Some(joined) = run.tasks.join_next_with_id() => run.joined(joined, &stop),
            _ = &mut told => {}
            () = &mut given_up => {
                for unit in std::mem::take(&mut run.running).into_values() {
                    run.interrupted.extend(unit.tasks);
                }
                return run.ending(true);
            }
        }
    }
}

/// A task that was handed to the runner, or waits for its next attempt; or all nodes of a gang, which do so together.
#[derive(Clone)]
struct Running {
    /// At least one.
    tasks: Vec<TaskName>,
    start: u32,
    /// Starts in a row that did not get as far as user code.
    trouble: Option<Trouble>,
}

struct Run<'a> {
    manifest: &'a Manifest,
    ready: Ready,
    runner: Arc<dyn RunTask>,
    watcher: Arc<dyn Watcher>,
    limits: Limits,
    /// A report for each task; `None` is the result of one whose next attempt was called off.
    tasks: JoinSet<Option<Vec<TaskReport>>>,
    running: HashMap<Id, Running>,
    /// Nothing new starts any more.
    halt: watch::Sender<bool>,
    failures: Vec<Failure>,
    too_wide: Option<(TaskName, u32)>,
    interrupted: Vec<TaskName>,
}

impl Run<'_> {
    fn step(&self, task: &TaskName) -> &str {
        self.manifest
            .steps
            .get_index(task.step)
            .map_or("", |(name, _)| name)
    }

    fn start_ready(&mut self) {
        while !*self.halt.borrow() && self.running.len() < self.limits.max_workers.max(1) {
            let Some(name) = self.ready.take() else {
                return;
            };
            let mut tasks = vec![name];
            let step = &self.manifest.steps[tasks[0].step];
            if self.manifest.is_gang(step) {
                tasks.extend(self.ready.take_gang(&tasks[0]));
            }
            for task in &tasks {
                self.watcher.started(self.step(task), &task.index);
            }
            let first = Running {
                tasks,
                start: 0,
                trouble: None,
            };
            self.spawn(first, Duration::ZERO);
        }
    }

    fn spawn(&mut self, unit: Running, pause: Duration) {
        let runner = Arc::clone(&self.runner);
        let step = self.step(&unit.tasks[0]).to_owned();
        let is_gang = self
            .manifest
            .is_gang(&self.manifest.steps[unit.tasks[0].step]);
        let gang = is_gang.then(|| Arc::new(Gang::new(unit.tasks.len() as u32)));
        let indices: Vec<IndexPath> = unit.tasks.iter().map(|task| task.index.clone()).collect();
        let start = unit.start;
        let mut halt = self.halt.subscribe();
        let handle = self.tasks.spawn(async move {
            if !pause.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = halt.wait_for(|halt| *halt) => return None,
                }
            }
            let run = |index| runner.run(&step, index, start, gang.clone());
            Some(join_all(indices.into_iter().map(run)).await)
        });
        self.running.insert(handle.id(), unit);
    }

    fn joined(&mut self, joined: Result<(Id, Option<Vec<TaskReport>>), JoinError>, stop: &Stop) {
        let (id, reports) = match joined {
            Ok(ended) => ended,
            Err(error) => (error.id(), Some(vec![broken(&error)])),
        };
        let Some(unit) = self.running.remove(&id) else {
            return;
        };
        let is_stopped = stop.urgency() != Urgency::None;
        let Some(reports) = reports else {
            if is_stopped {
                self.interrupted.extend(unit.tasks);
            }
            return;
        };
        let is_done = |report: &TaskReport| report.exit == Exit::Done;
        if reports.iter().all(is_done) {
            for (task, report) in unit.tasks.iter().zip(&reports) {
                self.committed(task, report);
            }
        } else if is_stopped {
            let ended = unit.tasks.into_iter().zip(reports);
            let open = ended.filter(|(_, report)| !is_done(report));
            self.interrupted.extend(open.map(|(task, _)| task));
        } else {
            self.failed(unit, reports);
        }
    }

    fn committed(&mut self, task: &TaskName, report: &TaskReport) {
        self.watcher
            .committed(self.step(task), &task.index, report.adopted);
        if let Some(count) = report.count
            && count > self.limits.max_num_splits
        {
            self.too_wide.get_or_insert((task.clone(), count));
            self.halt.send_replace(true);
            return;
        }
        let chosen = report.next.as_deref();
        let chosen = chosen.and_then(|name| self.manifest.steps.get_index_of(name));
        self.ready.committed(task, report.count, chosen);
        if report.count.is_some() || report.next.is_some() {
            for (at, step) in self.manifest.steps.keys().enumerate() {
                self.watcher.expected(step, self.ready.expected(at));
            }
        }
    }

    /// A task failed, or some nodes of a gang, which stopped the others.
    fn failed(&mut self, unit: Running, reports: Vec<TaskReport>) {
        let ended = unit.tasks.iter().cloned().zip(reports);
        let failed: Vec<(TaskName, TaskReport)> = ended
            .filter(|(_, report)| report.exit != Exit::Done)
            .collect();
        let is_cause = |report: &TaskReport| report.exit != Exit::Interrupted;
        let has_cause = failed.iter().any(|(_, report)| is_cause(report));
        let mut causes = failed;
        causes.retain(|(_, report)| !has_cause || is_cause(report));
        let may_retry = causes.iter().all(|(_, report)| report.may_retry);
        // Before an attempt is claimed nothing counts the starts: time does.
        let has_begun = causes.iter().any(|(_, report)| report.attempt.is_some());
        let now = Instant::now();
        let trouble = (!has_begun).then(|| Trouble::after(unit.trouble, now));
        let pause = match &trouble {
            None => Some(self.pause(&unit)),
            Some(trouble) => trouble.pause(now),
        };
        if let Some(pause) = pause.filter(|_| may_retry)
            && !*self.halt.borrow()
        {
            for (task, report) in &causes {
                let step = self.step(task);
                self.watcher.retrying(step, &task.index, report, pause);
            }
            let next = Running {
                start: unit.start + 1,
                trouble,
                ..unit
            };
            self.spawn(next, pause);
            return;
        }
        if let Some(trouble) = trouble.filter(|trouble| may_retry && trouble.tries > 1) {
            let minutes = PATIENCE.as_secs() / 60;
            for (_, report) in &mut causes {
                let said = report.error.as_deref().unwrap_or("it cannot begin");
                let tries = trouble.tries;
                report.error = Some(format!(
                    "{said}; given up after {tries} tries: a run waits {minutes} minutes at most"
                ));
            }
        }
        for (task, report) in causes {
            let step = self.step(&task).to_owned();
            self.watcher.failed(&step, &task.index, &report);
            self.failures.push(Failure {
                step,
                index: task.index,
                report,
            });
        }
        self.halt.send_replace(true);
    }

    /// How long a unit waits for its next attempt.
    fn pause(&self, unit: &Running) -> Duration {
        match self.limits.retries {
            Retries::AtOnce => Duration::ZERO,
            Retries::AfterPause => {
                let seconds = self.manifest.steps[unit.tasks[0].step].retry_delay_s;
                Duration::from_secs(seconds.into())
            }
        }
    }

    fn ending(mut self, stopped: bool) -> Ending {
        self.interrupted
            .sort_by(|a, b| (a.step, &a.index).cmp(&(b.step, &b.index)));
        if stopped && !(self.ready.is_finished() && self.failures.is_empty()) {
            let label = |task: &TaskName| format!("{}/{}", self.step(task), task.index.task_id());
            return Ending::Interrupted(self.interrupted.iter().map(label).collect());
        }
        if let Some((task, count)) = &self.too_wide {
            return Ending::TooWide {
                step: self.step(task).to_owned(),
                index: task.index.clone(),
                count: *count,
            };
        }
        if self.failures.is_empty() {
            Ending::Done
        } else {
            Ending::Failed(self.failures)
        }
    }
}

/// A task of ours panicked: that is our mistake, not the user's, and no reason to try again.
fn broken(error: &JoinError) -> TaskReport {
    TaskReport {
        exit: Exit::Machine,
        attempt: None,
        adopted: false,
        may_retry: false,
        count: None,
        next: None,
        error: Some(format!("internal error in flowc: {error}")),
        traceback: None,
    }
}

mod patience;

#[cfg(test)]
mod tests;
