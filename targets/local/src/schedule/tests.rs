//! The scheduler over worlds in which each start of a task ends as a table says.

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
    fn new(end: impl Fn(&str, &IndexPath, u32) -> TaskReport + Send + Sync + 'static) -> Arc<Self> {
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
    async fn run(
        &self,
        step: &str,
        index: IndexPath,
        start: u32,
        _gang: Option<Arc<Gang>>,
    ) -> TaskReport {
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
    let has_begun = matches!(exit, Exit::UserFailure | Exit::UserFailureFinal);
    TaskReport {
        exit,
        attempt: has_begun.then_some(0),
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

/// Keeps the pauses before further tries.
#[derive(Default)]
struct Pauses(Mutex<Vec<u64>>);

impl Watcher for Pauses {
    fn retrying(&self, _step: &str, _index: &IndexPath, _report: &TaskReport, pause: Duration) {
        self.0.lock().unwrap().push(pause.as_secs());
    }
}

#[tokio::test]
async fn a_start_that_came_to_nothing_is_tried_again_after_a_pause() {
    let world = World::new(|step, _, start| match (step, start) {
        ("end", 0) => report(Exit::Store, true, None),
        // What another try cannot change ends at once.
        ("end", _) => report(Exit::Configuration, false, None),
        _ => fine(step, 1),
    });
    let runner: Arc<dyn RunTask> = Arc::clone(&world) as _;
    let watcher = Arc::new(Pauses::default());
    let hears = Arc::clone(&watcher);
    let ending = schedule(&nested(), runner, Limits::default(), hears, Stop::never()).await;
    assert!(matches!(ending, Ending::Failed(_)), "{ending:?}");
    assert_eq!(*watcher.0.lock().unwrap(), [1]);
    let log = world.log.lock().unwrap();
    assert_eq!(
        log.iter().filter(|entry| entry.starts_with("end/")).count(),
        2
    );
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

/// Where waiting is asked for, the next test sees it.
#[tokio::test]
async fn retries_start_at_once_whatever_pause_the_flow_asks_for() {
    for mut manifest in [nested(), gang()] {
        for step in manifest.steps.values_mut() {
            step.retry_delay_s = 3600;
        }
        let world = World::new(|step, _, start| match start {
            0 => report(Exit::UserFailure, true, None),
            _ => fine(step, 2),
        });
        let runner: Arc<dyn RunTask> = Arc::clone(&world) as _;
        let limits = Limits::default();
        let ending = schedule(&manifest, runner, limits, Arc::new(Silent), Stop::never()).await;
        assert!(matches!(ending, Ending::Done), "{ending:?}");
        let log = world.log.lock().unwrap();
        let again = log.iter().filter(|entry| entry.ends_with(".1"));
        assert_eq!(again.count() * 2, log.len(), "each task was tried again");
    }
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
    let limits = Limits {
        retries: Retries::AfterPause,
        ..Limits::default()
    };
    let run = schedule(&manifest, runner, limits, Arc::new(Silent), stop);
    // Without the stop this would wait for an hour.
    let (ending, ()) = tokio::join!(run, stopper);
    assert!(matches!(ending, Ending::Interrupted(_)), "{ending:?}");
    assert_eq!(world.starts(), 1);
}

/// start ⇉ work (a gang) → gather → end
fn gang() -> Manifest {
    use flowc_protocol::manifest::StepKind::{End, Foreach, Join, Linear};
    let mut manifest = crate::ready::tests::manifest(&[
        ("start", Foreach, &["work"], &[], None),
        ("work", Linear, &["gather"], &["start"], None),
        ("gather", Join, &["end"], &[], Some("start")),
        ("end", End, &[], &[], None),
    ]);
    manifest.steps["start"].gang = true;
    manifest
}

async fn run_gang(world: &Arc<World>) -> Ending {
    let runner: Arc<dyn RunTask> = Arc::clone(world) as _;
    let limits = Limits {
        max_workers: 1,
        ..Limits::default()
    };
    schedule(&gang(), runner, limits, Arc::new(Silent), Stop::never()).await
}

#[tokio::test]
async fn all_nodes_of_a_gang_run_at_once() {
    let world = World::new(|step, _, _| fine(step, 5));
    assert!(matches!(run_gang(&world).await, Ending::Done));
    assert_eq!((world.starts(), world.running.lock().unwrap().1), (8, 5));
}

#[tokio::test]
async fn a_gang_is_retried_as_a_whole() {
    let world = World::new(|step, index, start| match (step, index.indices()) {
        ("work", [1]) if start == 0 => report(Exit::UserFailure, true, None),
        // Stopped because of that one: not a failure of its own, whatever may be done about it.
        ("work", [2]) if start == 0 => report(Exit::Interrupted, false, None),
        _ => fine(step, 3),
    });
    assert!(matches!(run_gang(&world).await, Ending::Done));
    let log = world.log.lock().unwrap();
    let again: Vec<_> = log.iter().filter(|entry| entry.ends_with(".1")).collect();
    assert_eq!(again, ["work/0.1", "work/1.1", "work/2.1"]);
}

#[tokio::test]
async fn only_the_node_that_failed_is_named() {
    let world = World::new(|step, index, _| match (step, index.indices()) {
        ("work", [1]) => report(Exit::UserFailureFinal, false, None),
        ("work", _) => report(Exit::Interrupted, true, None),
        _ => fine(step, 3),
    });
    let Ending::Failed(failures) = run_gang(&world).await else {
        panic!("the run did not fail");
    };
    let named: Vec<_> = failures.iter().map(|it| it.index.to_string()).collect();
    assert_eq!((named, world.starts()), (vec!["1".to_owned()], 4));
}
