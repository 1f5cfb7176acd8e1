//! What goes wrong under a flow: the right end, nothing lost, nothing double, and the cause is told.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::World;

pub(crate) const TESTS: &[Test] = trials![
    a_killed_process_is_an_attempt,
    a_pod_that_is_deleted_while_it_runs_comes_again,
    a_pod_that_is_deleted_at_its_start_costs_no_attempt,
    a_task_without_memory_is_told_as_such,
    a_busy_store_is_asked_again,
    a_store_that_denies_is_named,
];

pub(crate) const ALONE: &[Test] = trials![a_scheduler_that_is_killed_loses_nothing];

fn a_killed_process_is_an_attempt() {
    let flow = "class KilledFlow(FlowSpec):
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]).succeeded();
    ended.done_once("start/t", 2);
}

const LONG: &str = "class NAME(FlowSpec):
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        print('attempt', current.retry_count, flush=True)
        if current.retry_count == 0:
            time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass";

fn a_pod_that_is_deleted_while_it_runs_comes_again() {
    let Some(world) = World::new(&LONG.replace("NAME", "DeletedPodFlow")) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    let pod = world.pod_that_says("attempt 0");
    world.kubectl(&["delete", "pod", &pod]);
    let ended = world.wait(&run).succeeded();
    ended.done_once("start/t", 2);
}

fn a_pod_that_is_deleted_at_its_start_costs_no_attempt() {
    let flow = LONG
        .replace("NAME", "EarlyFlow")
        .replace("time.sleep(600)", "pass");
    let Some(world) = World::new(&flow) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    let pod = world.pod_with(|pod| pod.starts_with("start"));
    world.kubectl(&["delete", "pod", &pod, "--grace-period=0", "--force"]);
    let ended = world.wait(&run).succeeded();
    let started = ended.attempts()["start/t"].started;
    // User code had begun or not, but it is committed once.
    assert!((1..=2).contains(&started), "{:?}", ended.attempts());
    assert_eq!(ended.attempts()["start/t"].commits, 1);
}

fn a_task_without_memory_is_told_as_such() {
    let flow = "class HungryFlow(FlowSpec):
    @kubernetes(memory=150, qos='guaranteed')
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count == 0:
            print('eating', flush=True)
        hungry = [bytearray(1 << 20) for _ in range(1000)]
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]);
    let status = ended.failed();
    assert!(status.stdout.contains("memory"), "{status:#?}");
    assert_eq!(
        ended.attempts()["start/t"].started,
        2,
        "{:?}",
        ended.attempts()
    );
}

fn a_scheduler_that_is_killed_loses_nothing() {
    let flow = LONG.replace("NAME", "SchedulerFlow").replace(
        "if current.retry_count == 0:\n            time.sleep(600)",
        "time.sleep(20)",
    );
    let Some(world) = World::alone(&flow) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    world.pod_that_says("attempt 0");
    world.airflow.stop("scheduler");
    world.airflow.start("scheduler");
    let ended = world.wait(&run).succeeded();
    let attempts = ended.attempts();
    assert_eq!(attempts["start/t"].commits, 1, "{attempts:?}");
    assert!(attempts["start/t"].started <= 2, "{attempts:?}");
    ended.done_once("end/t", 1);
}

/// Starts a run with faults of the store that are about this flow alone, and ends them with it.
fn run_with(faults: &Value, world: &World) -> String {
    static STORE: Mutex<()> = Mutex::new(());
    world.deploy();
    let store = STORE.lock().unwrap_or_else(PoisonError::into_inner);
    world.airflow.cluster.set_s3_faults(faults);
    let run = world.trigger(&[]);
    world.until(&run, |state| matches!(state, "success" | "failed"));
    world.airflow.cluster.set_s3_faults(&json!({}));
    drop(store);
    run
}

fn a_busy_store_is_asked_again() {
    let flow = "class BusyFlow(FlowSpec):
    @step
    def start(self):
        self.x = list(range(1000))
        self.next(self.end)

    @step
    def end(self):
        assert self.x == list(range(1000))";
    let Some(world) = World::new(flow).filter(World::may_be_harmed) else {
        return;
    };
    let faults = json!({"unavailable": 0.5, "below": "/flows/BusyFlow/"});
    let run = run_with(&faults, &world);
    let ended = world.wait(&run).succeeded();
    ended.done_once("start/t", 1);
    ended.done_once("end/t", 1);
}

fn a_store_that_denies_is_named() {
    let flow = "class DeniedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow).filter(World::may_be_harmed) else {
        return;
    };
    let faults = json!({"denied": ["put /flows/DeniedFlow/"]});
    let run = run_with(&faults, &world);
    let ended = world.wait(&run);
    let status = ended.failed();
    assert!(status.stdout.contains("denied"), "{status:#?}");
}
