//! What breaks around a task: the right end, nothing lost, nothing double, and the cause is told.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use flowc_tests::trials;
use flowc_tests::trials::Test;

use super::world::{Ended, World};

pub(crate) const TESTS: &[Test] = trials![
    a_killed_process_is_started_again,
    a_pod_that_is_deleted_while_it_runs_is_made_again,
    a_pod_that_is_deleted_seconds_after_its_start_is_made_again,
    a_task_that_is_out_of_memory_is_told,
    half_of_the_requests_to_the_store_fail,
    a_store_that_denies_access_is_told,
];

pub(crate) const ALONE: &[Test] = trials![a_controller_that_is_restarted_goes_on];

/// A flow whose first step says so when it has begun for the first time, and then takes as long as it takes to break it.
fn flow(name: &str, decorators: &str) -> String {
    format!(
        "class {name}(FlowSpec):
    {decorators}
    @step
    def start(self):
        if current.retry_count == 0:
            print('{name} has begun', flush=True)
            time.sleep(600)
        self.value = 7
        self.next(self.end)

    @step
    def end(self):
        assert self.value == 7"
    )
}

const RETRY: &str = "@retry(times=1, minutes_between_retries=0)";

/// User code was started twice and its result is there once.
#[track_caller]
fn recovered(ended: &Ended<'_>) {
    let attempts = ended.attempts();
    assert_eq!(
        (attempts["start/t"].started, attempts["start/t"].commits),
        (2, 1),
        "{attempts:?}"
    );
    assert_eq!(
        (attempts["end/t"].started, attempts["end/t"].commits),
        (1, 1),
        "{attempts:?}"
    );
}

fn a_killed_process_is_started_again() {
    let Some(world) = World::new(&flow("KilledFlow", RETRY)) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    world.pod_that_says(&run, "KilledFlow has begun");
    kill_shim(&run, "start");
    let ended = world.wait(&run).succeeded();
    recovered(&ended);
}

/// Kills the process that runs the step.
///
/// From outside: within its container the shim may be the first process, which nothing there can kill.
#[track_caller]
pub(crate) fn kill_shim(run: &str, step: &str) {
    let store = format!("FLOWC_PACKAGE={}/", run.split('/').next().unwrap());
    let command = format!("/flowc/flowc-shim\0step\0{step}\0");
    let mut killed = 0;
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        let variables = fs::read(process.join("environ")).unwrap_or_default();
        let mine = String::from_utf8_lossy(&variables).contains(&store);
        if mine && words.starts_with(command.as_bytes()) {
            let id = process.file_name().unwrap();
            let end = Command::new("kill").arg("-KILL").arg(id).status();
            killed += i32::from(end.unwrap().success());
        }
    }
    assert_eq!(killed, 1);
}

fn a_pod_that_is_deleted_while_it_runs_is_made_again() {
    let Some(world) = World::new(&flow("DeletedFlow", RETRY)) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    let pod = world.pod_that_says(&run, "DeletedFlow has begun");
    // For ten seconds Argo takes a missing pod for one that has not come yet. Later it is an error of the attempt, which all the
    // same comes again under its number where Argo's executor had no time to report.
    thread::sleep(Duration::from_secs(12));
    world.kubectl(&["delete", "pod", &pod, "--force", "--grace-period=0"]);
    let ended = world.wait(&run).succeeded();
    recovered(&ended);
}

fn a_pod_that_is_deleted_seconds_after_its_start_is_made_again() {
    let Some(world) = World::new(&flow("EarlyFlow", RETRY)) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    let pod = world.pod_that_says(&run, "EarlyFlow has begun");
    world.kubectl(&["delete", "pod", &pod, "--force", "--grace-period=0"]);
    let ended = world.wait(&run).succeeded();
    recovered(&ended);
    assert_eq!(ended.pods(), 2, "the same attempt of `start` came again");
}

fn a_task_that_is_out_of_memory_is_told() {
    let flow = "class MemoryFlow(FlowSpec):
    @kubernetes(memory=256, qos='Guaranteed')
    @step
    def start(self):
        self.data = [bytearray(2 ** 20) for _ in range(1024)]
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow) else {
        return;
    };
    let ended = world.run(&[]).failed();
    let attempts = ended.attempts();
    assert_eq!(
        (attempts["start/t"].started, attempts["start/t"].commits),
        (1, 0),
        "{attempts:?}"
    );
    let status = ended.status();
    assert!(
        format!("{status:?}").contains("out of memory"),
        "{status:#?}"
    );
}

fn a_controller_that_is_restarted_goes_on() {
    let flow = "class RestartFlow(FlowSpec):
    @step
    def start(self):
        self.parts = list(range(4))
        self.next(self.part, foreach='parts')

    @step
    def part(self):
        print('RestartFlow has begun', flush=True)
        time.sleep(8)
        self.next(self.whole)

    @step
    def whole(self, inputs):
        assert len(list(inputs)) == 4
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::alone(flow).filter(World::may_be_harmed) else {
        return;
    };
    world.deploy();
    let run = world.trigger(&[]);
    world.pod_that_says(&run, "RestartFlow has begun");
    world.argo.bed.stop("argo");
    // Some tasks end meanwhile, and nobody looks.
    thread::sleep(Duration::from_secs(10));
    world.argo.bed.start("argo");
    let ended = world.wait(&run).succeeded();
    for (task, attempts) in ended.attempts() {
        if task != "_parameters/t" {
            assert_eq!((attempts.started, attempts.commits), (1, 1), "{task}");
        }
    }
}

/// Runs the flow with faults of the store that are about this flow alone, and ends them with it.
fn run_with<'a>(faults: &Value, world: &'a World) -> Ended<'a> {
    static STORE: Mutex<()> = Mutex::new(());
    world.deploy();
    let _store = STORE.lock().unwrap_or_else(PoisonError::into_inner);
    world.argo.bed.set_s3_faults(faults);
    let run = world.trigger(&[]);
    let ended = world.wait(&run);
    world.argo.bed.set_s3_faults(&json!({}));
    ended
}

fn half_of_the_requests_to_the_store_fail() {
    let flow = "class BusyFlow(FlowSpec):
    @step
    def start(self):
        self.parts = list(range(3))
        self.data = bytes(100_000)
        self.next(self.part, foreach='parts')

    @step
    def part(self):
        self.size = len(self.data) + self.input
        self.next(self.whole)

    @step
    def whole(self, inputs):
        assert [one.size for one in inputs] == [100_000, 100_001, 100_002]
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow).filter(World::may_be_harmed) else {
        return;
    };
    let faults = json!({"unavailable": 0.5, "below": "/flows/BusyFlow/"});
    let ended = run_with(&faults, &world).succeeded();
    for (task, attempts) in ended.attempts() {
        assert_eq!(attempts.commits, 1, "{task}");
    }
}

fn a_store_that_denies_access_is_told() {
    let flow = "class RefusedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass";
    let Some(world) = World::new(flow).filter(World::may_be_harmed) else {
        return;
    };
    let faults = json!({"denied": ["put /flows/RefusedFlow/"]});
    let ended = run_with(&faults, &world).failed();
    let status = ended.status();
    assert_eq!(
        ended.pods(),
        1,
        "it is not tried again: {:#}",
        ended.workflow["status"]["nodes"]
    );
    let said = format!("{status:?}");
    assert!(
        said.contains("exit code 20") && said.contains("denie"),
        "{status:#?}"
    );
}
