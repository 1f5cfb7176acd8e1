//! The scheduler: starts what is ready, at most so many tasks at once, and decides what a task's end means for the run.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::IndexPath;
use flowc_protocol::manifest::Manifest;
use flowc_task::signals::{Stop, Urgency};
use flowc_task::task::TaskReport;
use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use crate::ready::{Ready, TaskName};

/// Runs one attempt of one task.
#[async_trait]
pub trait RunTask: Send + Sync {
    /// Runs it to its end; `start` is 0 for the first start in this run, 1 for the next.
    async fn run(&self, step: &str, index: IndexPath, start: u32) -> TaskReport;
}

/// Limits of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tasks at once.
    ///
    /// 16 by default, as in Metaflow: tasks often wait for a network or a disk, and a machine with fewer cores shares them out.
    pub max_workers: usize,
    /// The widest foreach that is run; 100 by default, as in Metaflow.
    pub max_num_splits: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_workers: 16,
            max_num_splits: 100,
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
    /// An attempt failed and another follows after a pause.
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
                for task in std::mem::take(&mut run.running).into_values() {
                    run.interrupted.push(task.name);
                }
                return run.ending(true);
            }
        }
    }
}

/// A task that was handed to the runner, or waits for its next attempt.
#[derive(Clone)]
struct Running {
    name: TaskName,
    start: u32,
}

struct Run<'a> {
    manifest: &'a Manifest,
    ready: Ready,
    runner: Arc<dyn RunTask>,
    watcher: Arc<dyn Watcher>,
    limits: Limits,
    /// `None` is the result of a task whose next attempt was called off.
    tasks: JoinSet<Option<TaskReport>>,
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
            self.watcher.started(self.step(&name), &name.index);
            self.spawn(Running { name, start: 0 }, Duration::ZERO);
        }
    }

    fn spawn(&mut self, task: Running, pause: Duration) {
        let runner = Arc::clone(&self.runner);
        let step = self.step(&task.name).to_owned();
        let index = task.name.index.clone();
        let start = task.start;
        let mut halt = self.halt.subscribe();
        let handle = self.tasks.spawn(async move {
            if !pause.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = halt.wait_for(|halt| *halt) => return None,
                }
            }
            Some(runner.run(&step, index, start).await)
        });
        self.running.insert(handle.id(), task);
    }

    fn joined(&mut self, joined: Result<(Id, Option<TaskReport>), JoinError>, stop: &Stop) {
        let (id, report) = match joined {
            Ok(ended) => ended,
            Err(error) => (error.id(), Some(broken(&error))),
        };
        let Some(task) = self.running.remove(&id) else {
            return;
        };
        match report {
            Some(report) if report.exit == Exit::Done => self.committed(&task.name, &report),
            _ if stop.urgency() != Urgency::None => self.interrupted.push(task.name),
            Some(report) => self.failed(task, report),
            None => {}
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

    fn failed(&mut self, task: Running, report: TaskReport) {
        let step = self.step(&task.name);
        if report.may_retry && !*self.halt.borrow() {
            let seconds = self.manifest.steps[task.name.step].retry_delay_s;
            let pause = Duration::from_secs(seconds.into());
            self.watcher
                .retrying(step, &task.name.index, &report, pause);
            let next = Running {
                start: task.start + 1,
                ..task
            };
            self.spawn(next, pause);
            return;
        }
        self.watcher.failed(step, &task.name.index, &report);
        self.failures.push(Failure {
            step: step.to_owned(),
            index: task.name.index,
            report,
        });
        self.halt.send_replace(true);
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use flowc_task::signals;

    use super::*;
    use crate::ready::tests::nested;

    type End = dyn Fn(&str, &IndexPath, u32) -> TaskReport + Send + Sync;

    /// A world in which each start of a task ends as a table says.
    struct World {
        log: Mutex<Vec<String>>,
        running: Mutex<(usize, usize)>,
        end: Box<End>,
    }

    impl World {
        fn new(
            end: impl Fn(&str, &IndexPath, u32) -> TaskReport + Send + Sync + 'static,
        ) -> Arc<Self> {
            Arc::new(Self {
                log: Mutex::default(),
                running: Mutex::default(),
                end: Box::new(end),
            })
        }

        fn starts(&self) -> usize {
            self.log.lock().unwrap().len()
        }
    }

    #[async_trait]
    impl RunTask for World {
        async fn run(&self, step: &str, index: IndexPath, start: u32) -> TaskReport {
            let entry = format!("{step}/{index}.{start}");
            self.log.lock().unwrap().push(entry);
            {
                let mut running = self.running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
            }
            tokio::task::yield_now().await;
            self.running.lock().unwrap().0 -= 1;
            (self.end)(step, &index, start)
        }
    }

    struct Silent;
    impl Watcher for Silent {}

    fn report(exit: Exit, may_retry: bool, count: Option<u32>) -> TaskReport {
        TaskReport {
            exit,
            attempt: None,
            adopted: false,
            may_retry,
            count,
            next: None,
            error: None,
            traceback: None,
        }
    }

    fn fine(step: &str, width: u32) -> TaskReport {
        let count = matches!(step, "start" | "inner").then_some(width);
        report(Exit::Done, false, count)
    }

    async fn run(world: &Arc<World>, limits: Limits) -> Ending {
        let runner: Arc<dyn RunTask> = Arc::clone(world) as _;
        schedule(&nested(), runner, limits, Arc::new(Silent), Stop::never()).await
    }

    #[tokio::test]
    async fn never_more_workers_than_allowed() {
        for max_workers in [1, 3, 16] {
            let world = World::new(|step, _, _| fine(step, 9));
            let limits = Limits {
                max_workers,
                ..Limits::default()
            };
            assert!(matches!(run(&world, limits).await, Ending::Done));
            assert_eq!(world.starts(), 1 + 9 + 81 * 4 + 9 + 2);
            assert_eq!(world.running.lock().unwrap().1, max_workers);
        }
    }

    #[tokio::test]
    async fn a_failure_is_retried_while_it_may_be() {
        let world = World::new(|step, index, start| {
            if step == "a" && index.indices() == [1, 0] && start < 2 {
                return report(Exit::UserFailure, true, None);
            }
            fine(step, 2)
        });
        assert!(matches!(run(&world, Limits::default()).await, Ending::Done));
        let log = world.log.lock().unwrap();
        let tries = log.iter().filter(|entry| entry.starts_with("a/1-0."));
        assert_eq!(tries.count(), 3);
    }

    #[tokio::test]
    async fn after_a_failure_nothing_new_starts() {
        let world = World::new(|step, _, _| match step {
            "inner" => report(Exit::UserFailureFinal, false, None),
            _ => fine(step, 50),
        });
        let limits = Limits {
            max_workers: 4,
            ..Limits::default()
        };
        let Ending::Failed(failures) = run(&world, limits).await else {
            panic!("the run did not fail");
        };
        // Those that ran beside the first failure were let finish.
        assert_eq!((failures.len(), world.starts()), (4, 5));
    }

    #[tokio::test]
    async fn a_foreach_over_the_limit_ends_the_run() {
        let world = World::new(|step, _, _| fine(step, 101));
        let ending = run(&world, Limits::default()).await;
        let Ending::TooWide { step, count, .. } = ending else {
            panic!("{ending:?}");
        };
        assert_eq!((step.as_str(), count, world.starts()), ("start", 101, 1));
    }

    #[tokio::test]
    async fn a_stopped_run_starts_nothing_and_names_what_ran() {
        let (stopper, stop) = signals::stop();
        let world = World::new(move |step, _, _| {
            if step == "inner" {
                stopper.request(Urgency::Soon);
                return report(Exit::Interrupted, true, None);
            }
            fine(step, 5)
        });
        let runner: Arc<dyn RunTask> = Arc::clone(&world) as _;
        let limits = Limits {
            max_workers: 2,
            ..Limits::default()
        };
        let ending = schedule(&nested(), runner, limits, Arc::new(Silent), stop).await;
        let Ending::Interrupted(tasks) = ending else {
            panic!("{ending:?}");
        };
        assert_eq!(tasks, ["inner/t-0", "inner/t-1"]);
    }

    #[tokio::test]
    async fn a_pause_before_a_retry_ends_when_the_run_does() {
        let mut manifest = nested();
        manifest.steps["start"].retry_delay_s = 3600;
        let (stopper, stop) = signals::stop();
        let (failed, has_failed) = tokio::sync::oneshot::channel();
        let failed = std::sync::Mutex::new(Some(failed));
        let world = World::new(move |_, _, _| {
            if let Some(failed) = failed.lock().unwrap().take() {
                failed.send(()).unwrap();
            }
            report(Exit::UserFailure, true, None)
        });
        let runner: Arc<dyn RunTask> = Arc::clone(&world) as _;
        let stopper = async {
            has_failed.await.unwrap();
            stopper.request(Urgency::Soon);
        };
        let run = schedule(&manifest, runner, Limits::default(), Arc::new(Silent), stop);
        // Without the stop this would wait for an hour.
        let (ending, ()) = tokio::join!(run, stopper);
        assert!(matches!(ending, Ending::Interrupted(_)), "{ending:?}");
        assert_eq!(world.starts(), 1);
    }
}
