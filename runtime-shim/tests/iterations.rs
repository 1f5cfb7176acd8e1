//! Steps that choose: which parent ran, and iterations of a step that chooses itself.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use flowc_protocol::exit::Exit;
use flowc_protocol::manifest::Manifest;
use flowc_task::signals::{self, Stop, Urgency};
use flowc_task::task::{self, Observer, TaskRequest};
use serde_json::json;
use support::{Bed, Silent, manifest_of};

const LOOP: &str = r#"
from metaflow import FlowSpec, current, step

class LoopFlow(FlowSpec):
    @step
    def start(self):
        self.seen = []
        self.next(self.work)

    @step
    def work(self):
        if len(self.seen) == 2 and current.retry_count == 0:
            raise ValueError("not yet")
        self.seen = self.seen + [current.task_id]
        self.stack = self._iteration_stack
        self.state = "done" if len(self.seen) == 4 else "more"
        self.next({"more": self.work, "done": self.end}, condition="state")

    @step
    def end(self):
        assert self.seen == ["t.0", "t.1", "t.2", "t.3"], self.seen
        assert self.stack == [3], self.stack
        assert self._iteration_stack == []

if __name__ == "__main__":
    LoopFlow()
"#;

fn looping(retries: u32) -> Manifest {
    let steps = json!({
        "start": {"type": "linear", "next": ["work"], "parents": []},
        "work": {
            "type": "switch", "next": ["end"], "parents": ["start"], "condition": "state", "repeats": true,
            "retries": retries,
        },
        "end": {"type": "end", "next": [], "parents": ["work"]},
    });
    manifest_of("LoopFlow", "start", "end", &steps, &json!([]))
}

#[tokio::test]
async fn a_start_goes_on_after_the_last_iteration() {
    let bed = Bed::new(LOOP, looping(1));
    bed.done("start", "-").await;
    let first = bed.task("work", "-").await;
    assert_eq!((first.exit, first.may_retry), (Exit::UserFailure, true));
    let file = |name: &str| bed.stored(&format!("LoopFlow/argo-test/work/{name}"));
    assert!(file("t.1/commit").is_some() && file("t.2/commit").is_none());
    assert!(file("t/commit").is_none() && file("t/choice.json").is_none());

    let second = bed.done("work", "-").await;
    assert_eq!(second.next.as_deref(), Some("end"));
    assert!(file("t.0/1.attempt.json").is_none(), "it was not run again");
    assert!(file("t.2/1.attempt.json").is_some() && file("t.4/0.attempt.json").is_none());
    assert_eq!(file("t/choice.json").unwrap(), r#"{"next":"end"}"#);
    let pointer = bed.stored_json("LoopFlow/argo-test/work/t/commit");
    assert_eq!(
        (&pointer["iteration"], &pointer["next"]),
        (&json!(3), &json!("end"))
    );

    // Killed between the last iteration's commit and the pointer.
    let root = bed.store.local_root().unwrap();
    std::fs::remove_dir_all(root.join("LoopFlow/argo-test/work/t")).unwrap();
    let third = bed.done("work", "-").await;
    assert!(third.adopted);
    assert_eq!(bed.stored_json("LoopFlow/argo-test/work/t/commit"), pointer);
    assert_eq!(file("t/choice.json").unwrap(), r#"{"next":"end"}"#);
    bed.done("end", "-").await;
}

#[tokio::test]
async fn an_iteration_that_fails_for_good_ends_the_step() {
    let bed = Bed::new(LOOP, looping(0));
    bed.done("start", "-").await;
    let report = bed.task("work", "-").await;
    assert_eq!(
        (report.exit, report.may_retry),
        (Exit::UserFailureFinal, false)
    );
    assert!(report.error.unwrap().contains("not yet"));
    let again = bed.task("work", "-").await;
    assert_eq!((again.exit, again.attempt), (Exit::UserFailureFinal, None));
}

/// Stops after the first iteration.
struct StopsAfterOne(signals::Stopper);

impl Observer for StopsAfterOne {
    fn ended(&self, request: &TaskRequest, _: &task::TaskReport, _: Option<&serde_json::Value>) {
        assert_eq!(request.iteration, Some(0));
        self.0.request(Urgency::Soon);
    }
}

#[tokio::test]
async fn a_loop_that_is_stopped_keeps_what_committed() {
    let bed = Bed::new(LOOP, looping(1));
    bed.done("start", "-").await;
    let (stopper, stop) = signals::stop();
    let request = bed.request("work", "-");
    let observer = StopsAfterOne(stopper);
    let report = task::run(&bed.store, &request, &bed.launcher, &observer, stop).await;
    assert_eq!(report.exit, Exit::Interrupted);
    assert!(bed.stored("LoopFlow/argo-test/work/t.0/commit").is_some());
    assert!(
        bed.stored("LoopFlow/argo-test/work/t.1/0.attempt.json")
            .is_none()
    );
}

const CHOICE: &str = r#"
from metaflow import FlowSpec, step

class ChoiceFlow(FlowSpec):
    @step
    def start(self):
        self.kind = "a"
        self.next({"a": self.left, "b": self.right, "c": self.end}, condition="kind")

    @step
    def left(self):
        self.next(self.end)

    @step
    def right(self):
        self.next(self.end)

    @step
    def end(self):
        self.came_by = self._current_step

if __name__ == "__main__":
    ChoiceFlow()
"#;

fn choosing() -> Manifest {
    let steps = json!({
        "start": {"type": "switch", "next": ["left", "right", "end"], "parents": [], "condition": "kind"},
        "left": {"type": "linear", "next": ["end"], "parents": ["start"]},
        "right": {"type": "linear", "next": ["end"], "parents": ["start"]},
        "end": {"type": "end", "next": [], "parents": ["left", "right", "start"]},
    });
    manifest_of("ChoiceFlow", "start", "end", &steps, &json!([]))
}

#[tokio::test]
async fn a_step_behind_a_switch_finds_the_parent_that_ran() {
    let bed = Bed::new(CHOICE, choosing());
    let start = bed.done("start", "-").await;
    assert_eq!(start.next.as_deref(), Some("left"));

    let early = bed.task("end", "-").await;
    assert_eq!(early.exit, Exit::Configuration);
    let said = early.error.unwrap();
    assert!(
        said.contains("`left`, `right`, `start`") && said.contains("but 0 have"),
        "{said}"
    );
    let wrong = bed.task("right", "-").await;
    assert_eq!(wrong.exit, Exit::Configuration);
    assert!(
        bed.stored("ChoiceFlow/argo-test/right/t/0.attempt.json")
            .is_none()
    );

    bed.done("left", "-").await;
    let report = bed.done("end", "-").await;
    assert_eq!((report.exit, report.next), (Exit::Done, None));
}

#[tokio::test]
async fn a_value_without_a_case_is_the_users_failure() {
    let flow = CHOICE.replace("self.kind = \"a\"", "self.kind = \"d\"");
    let bed = Bed::new(&flow, choosing());
    let request = bed.request("start", "-");
    let report = task::run(&bed.store, &request, &bed.launcher, &Silent, Stop::never()).await;
    assert_eq!(report.exit, Exit::UserFailureFinal);
    let said = report.error.unwrap();
    assert!(
        said.contains("has value 'd' which is not in the available cases"),
        "{said}"
    );
}
