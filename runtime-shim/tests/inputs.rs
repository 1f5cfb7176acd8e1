//! Parents are found by name: static joins in the order of the branches, foreach joins by index, also when nested.

#![allow(clippy::unwrap_used, reason = "a test's functions fail the test")]

mod support;

use flowc_protocol::exit::Exit;
use flowc_task::signals::Stop;
use flowc_task::task;
use serde_json::json;
use support::{Bed, Lines, manifest_of};

const BRANCHES: &str = r#"
from metaflow import FlowSpec, step

class BranchFlow(FlowSpec):
    @step
    def start(self):
        self.common = "c"
        self.next(self.zeta, self.alpha)

    @step
    def zeta(self):
        self.x = "z"
        self.next(self.join)

    @step
    def alpha(self):
        self.x = "a"
        self.next(self.join)

    @step
    def join(self, inputs):
        print([each.x for each in inputs], inputs.alpha.x, inputs.zeta.common)
        self.merge_artifacts(inputs, exclude=["x"])
        self.next(self.end)

    @step
    def end(self):
        print(self.common)

if __name__ == "__main__":
    BranchFlow()
"#;

#[tokio::test]
async fn branches_come_as_written() {
    let steps = json!({
        "start": {"type": "split", "next": ["zeta", "alpha"], "parents": []},
        "zeta": {"type": "linear", "next": ["join"], "parents": ["start"]},
        "alpha": {"type": "linear", "next": ["join"], "parents": ["start"]},
        "join": {"type": "join", "next": ["end"], "parents": ["zeta", "alpha"], "split": "start"},
        "end": {"type": "end", "next": [], "parents": ["join"]},
    });
    let bed = Bed::new(
        BRANCHES,
        manifest_of("BranchFlow", "start", "end", &steps, &json!([])),
    );
    for step in ["start", "alpha", "zeta"] {
        bed.done(step, "-").await;
    }
    assert_eq!(said(&bed, "join", "-").await, "['z', 'a'] a c");
    assert_eq!(said(&bed, "end", "-").await, "c");
}

const NESTED: &str = r#"
from metaflow import FlowSpec, step

class NestedFlow(FlowSpec):
    @step
    def start(self):
        self.outer = ["a", "b"]
        self.next(self.split, foreach="outer")

    @step
    def split(self):
        self.inner = [self.input + str(i) for i in range(3 if self.input == "a" else 1)]
        self.next(self.work, foreach="inner")

    @step
    def work(self):
        self.out = (self.index, self.input, [frame[0] for frame in self.foreach_stack()])
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.outs = [each.out for each in inputs]
        self.next(self.gather)

    @step
    def gather(self, inputs):
        for each in inputs:
            print(each.outs)
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    NestedFlow()
"#;

#[tokio::test]
async fn nested_foreaches_are_joined_inside_out() {
    let steps = json!({
        "start": {"type": "foreach", "next": ["split"], "parents": [], "variable": "outer"},
        "split": {"type": "foreach", "next": ["work"], "parents": ["start"], "foreach": ["start"], "variable": "inner"},
        "work": {"type": "linear", "next": ["collect"], "parents": ["split"], "foreach": ["start", "split"]},
        "collect": {"type": "join", "next": ["gather"], "parents": ["work"], "split": "split", "foreach": ["start"]},
        "gather": {"type": "join", "next": ["end"], "parents": ["collect"], "split": "start"},
        "end": {"type": "end", "next": [], "parents": ["gather"]},
    });
    let bed = Bed::new(
        NESTED,
        manifest_of("NestedFlow", "start", "end", &steps, &json!([])),
    );
    bed.done("start", "-").await;
    assert_eq!(bed.done("split", "0").await.count, Some(3));
    assert_eq!(bed.done("split", "1").await.count, Some(1));
    for index in ["0-2", "1-0", "0-0"] {
        bed.done("work", index).await;
    }
    // A join waits for nobody: a parent that is missing is an error that names it.
    let early = bed.task("collect", "0").await;
    assert_eq!(early.exit, Exit::Configuration);
    assert!(
        early
            .error
            .unwrap()
            .contains("argo-test/work/t-0-1 has not committed")
    );
    bed.done("work", "0-1").await;
    for index in ["0", "1"] {
        bed.done("collect", index).await;
    }
    assert_eq!(
        said(&bed, "gather", "-").await,
        "[(0, 'a0', [0, 0]), (1, 'a1', [0, 1]), (2, 'a2', [0, 2])]\n[(0, 'b0', [1, 0])]"
    );
    let commit = bed.stored_json("NestedFlow/argo-test/work/t-0-2/commit");
    assert_eq!(
        commit["foreach"],
        json!([
            {"step": "split", "variable": "outer", "count": 2, "index": 0},
            {"step": "work", "variable": "inner", "count": 3, "index": 2}
        ])
    );
}

#[tokio::test]
async fn a_join_of_many_is_in_order() {
    let flow = r"
from metaflow import FlowSpec, step

class WideFlow(FlowSpec):
    @step
    def start(self):
        self.items = list(range(70))
        self.next(self.work, foreach='items')

    @step
    def work(self):
        self.x = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        print([each.x for each in inputs] == [2 * i for i in range(70)])
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == '__main__':
    WideFlow()
";
    let steps = json!({
        "start": {"type": "foreach", "next": ["work"], "parents": [], "variable": "items"},
        "work": {"type": "linear", "next": ["join"], "parents": ["start"], "foreach": ["start"]},
        "join": {"type": "join", "next": ["end"], "parents": ["work"], "split": "start"},
        "end": {"type": "end", "next": [], "parents": ["join"]},
    });
    let bed = Bed::new(
        flow,
        manifest_of("WideFlow", "start", "end", &steps, &json!([])),
    );
    bed.done("start", "-").await;
    for index in (0..70).rev() {
        bed.done("work", &index.to_string()).await;
    }
    // More parents than are described at once: the harness asks for each.
    assert_eq!(said(&bed, "join", "-").await, "True");
}

/// Runs a task that prints; what it printed.
async fn said(bed: &Bed, step: &str, index: &str) -> String {
    let lines = Lines::default();
    let request = bed.request(step, index);
    let report = task::run(&bed.store, &request, &bed.launcher, &lines, Stop::never()).await;
    assert_eq!(report.error, None, "{step}");
    let lines = lines.0.lock().unwrap();
    let lines: Vec<_> = lines
        .iter()
        .map(|(_, line)| String::from_utf8_lossy(line).into_owned())
        .collect();
    lines.join("\n")
}
