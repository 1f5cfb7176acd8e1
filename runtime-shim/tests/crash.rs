//! Kill -9 at every numbered point of a task, then a rerun: the result is that of a run that nothing happened to.
//!
//! The shim of test builds has the feature `crash-points` through the crate's dependency on itself.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use support::{Bed, check_store, copy_tree, manifest_of, put_package, shim};

const FLOW: &str = r#"
from metaflow import FlowSpec, step, Parameter

class CrashFlow(FlowSpec):
    alpha = Parameter("alpha", default=2, type=int)

    @step
    def start(self):
        print("starting")
        self.items = [1, 2]
        self.large = b"0123456789" * 20_000
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.square = self.input ** self.alpha
        self.next(self.join)

    @step
    def join(self, inputs):
        print("joining")
        self.total = sum(each.square for each in inputs)
        self.next(self.again)

    @step
    def again(self):
        self.total += 1
        self.state = "enough" if self.total == 7 else "more"
        self.next({"more": self.again, "enough": self.end}, condition="state")

    @step
    def end(self):
        pass

if __name__ == "__main__":
    CrashFlow()
"#;

fn bed() -> Bed {
    let steps = json!({
        "start": {"type": "foreach", "next": ["work"], "parents": [], "variable": "items", "retries": 1},
        "work": {"type": "linear", "next": ["join"], "parents": ["start"], "foreach": ["start"]},
        "join": {"type": "join", "next": ["again"], "parents": ["work"], "split": "start", "retries": 1},
        "again": {
            "type": "switch", "next": ["end"], "parents": ["join"], "condition": "state", "repeats": true, "retries": 1
        },
        "end": {"type": "end", "next": [], "parents": ["again"]},
    });
    let parameters = json!([{"name": "alpha", "attribute": "alpha", "type": "int", "default": 2}]);
    Bed::new(
        FLOW,
        manifest_of("CrashFlow", "start", "end", &steps, &parameters),
    )
}

/// What a task left, without what differs from run to run.
fn outcome(folder: &Path, step: &str) -> Value {
    let path = folder.join(format!("store/CrashFlow/argo-test/{step}/t/commit"));
    let mut commit: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    commit["claim"] = Value::Null;
    commit["attempt"] = Value::Null;
    commit["data"]["attempt"] = Value::Null;
    commit
}

/// Metaflow's readers take the highest started attempt: it must be done and hold the result.
fn check_highest_attempt(folder: &Path, step: &str, task: &str) {
    let task = folder.join(format!("store/CrashFlow/argo-test/{step}/{task}"));
    let commit: Value =
        serde_json::from_slice(&std::fs::read(task.join("commit")).unwrap()).unwrap();
    let highest = (0..6)
        .rev()
        .find(|attempt| task.join(format!("{attempt}.attempt.json")).exists())
        .unwrap();
    assert!(
        task.join(format!("{highest}.DONE.lock")).exists(),
        "{step}: attempt {highest} is not done"
    );
    let record = std::fs::read(task.join(format!("{highest}.data.json"))).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["objects"], commit["data"]["objects"], "{step}");
}

/// Kills the step at each of its points in a copy of `base`; how many there are.
fn kill_everywhere(base: &Path, package: &str, step: &str) -> u64 {
    let clean = tempfile::tempdir().unwrap();
    copy_tree(base, clean.path());
    let counter = clean.path().join("count");
    let status = shim(clean.path(), package, step, "-")
        .env("FLOWC_CRASH_COUNT", &counter)
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    let points: u64 = std::fs::read_to_string(counter).unwrap().parse().unwrap();
    let expected = outcome(clean.path(), step);

    let next = Mutex::new(1..=points);
    let work = || {
        while let Some(point) = { next.lock().unwrap().next() } {
            let folder = tempfile::tempdir().unwrap();
            copy_tree(base, folder.path());
            let killed = shim(folder.path(), package, step, "-")
                .env("FLOWC_CRASH_AT", point.to_string())
                .output()
                .unwrap();
            assert_eq!(
                killed.status.signal(),
                Some(9),
                "{step}: point {point} was not reached"
            );
            let store = folder.path().join("store");
            check_store(&store, "CrashFlow");
            let again = shim(folder.path(), package, step, "-").output().unwrap();
            let said = String::from_utf8_lossy(&again.stderr);
            assert!(
                again.status.success(),
                "{step}: after point {point}: {said}"
            );
            check_store(&store, "CrashFlow");
            assert_eq!(
                outcome(folder.path(), step),
                expected,
                "{step}: after point {point}"
            );
            let tasks: &[&str] = match step {
                "again" => &["t.0", "t.1"],
                _ => &["t"],
            };
            for task in tasks {
                check_highest_attempt(folder.path(), step, task);
            }
            if step == "start" {
                check_highest_attempt(folder.path(), "_parameters", "t");
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(work);
        }
    });
    points
}

#[test]
fn a_task_survives_kill_at_every_point() {
    let bed = bed();
    let package = put_package(&bed);
    let base = bed.folder.path();
    let start = kill_everywhere(base, &package, "start");
    for (step, index) in [("start", "-"), ("work", "0"), ("work", "1")] {
        let status = shim(base, &package, step, index).output().unwrap().status;
        assert!(status.success(), "{step}");
    }
    let join = kill_everywhere(base, &package, "join");
    let status = shim(base, &package, "join", "-").output().unwrap().status;
    assert!(status.success(), "join");
    let again = kill_everywhere(base, &package, "again");
    println!(
        "killed at {start} points of a first step, {join} of a join and {again} of two iterations"
    );
    assert!(start > 40 && join > 15 && again > 2 * 15);
}
