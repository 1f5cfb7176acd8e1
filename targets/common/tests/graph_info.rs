//! `_graph_info` is what Metaflow itself makes of the same file.
//!
//! `graph_info/metaflow.json` is the artifact of a run of `graph_info/flow.py` under Metaflow 2.19.39 (`Flow("ShapeFlow").latest_run["start"].task["_graph_info"].data`),
//! with each `source_file`, an absolute path there, set to `flow.py`.

use flowc_protocol::manifest::{EmptyForeach, Manifest, StepKind};
use flowc_target::manifest::manifest;
use flowc_target::testing::plan;

fn shape() -> Manifest {
    let plan = plan(include_str!("graph_info/flow.py"));
    manifest(&plan, EmptyForeach::Fail)
}

#[test]
fn graph_info_is_metaflows() {
    let ours = serde_json::to_string_pretty(&shape().graph_info).unwrap();
    let recorded = include_str!("graph_info/metaflow.json");
    let recorded: serde_json::Value = serde_json::from_str(recorded).unwrap();
    // As text, so that the order of keys counts.
    let theirs = serde_json::to_string_pretty(&recorded).unwrap();
    for (line, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", line + 1);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn manifest_survives_the_way_through_json() {
    let manifest = shape();
    let text = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
}

#[test]
fn manifest_says_what_the_shim_needs() {
    let manifest = shape();
    let leaf = &manifest.steps["leaf"];
    assert_eq!(leaf.foreach, ["outer", "inner"]);
    assert_eq!(leaf.parents, ["inner"]);
    let join = &manifest.steps["join"];
    assert_eq!(join.kind, StepKind::Join);
    assert_eq!(join.parents, ["outer_join", "side"]);
    assert_eq!(join.split.as_deref(), Some("start"));
    assert_eq!(
        manifest.steps["inner"].variable.as_deref(),
        Some("inner_items")
    );
    assert_eq!(manifest.steps["outer"].retries, 2);
    assert_eq!(manifest.steps["outer"].retry_delay_s, 120);
    assert_eq!(manifest.steps["side"].timeout_s, Some(3605));
    assert_eq!(manifest.steps["side"].environment["A"], "b");
    assert_eq!(manifest.parameters[0].name, "my-count");
    assert_eq!(manifest.parameters[0].attribute, "my_count");
    assert_eq!(manifest.project.as_deref(), Some("demo"));
}

#[test]
fn deepest_nesting_can_be_read_again() {
    use std::fmt::Write as _;
    let depth = 30;
    let mut text =
        "from metaflow import FlowSpec, step\n\n\nclass DeepFlow(FlowSpec):\n".to_owned();
    let mut step = |name: &str, arguments: &str, next: &str| {
        writeln!(
            text,
            "    @step\n    def {name}({arguments}):\n        {next}\n"
        )
        .unwrap();
    };
    step("start", "self", "self.next(self.s1, foreach=\"x\")");
    for level in 1..depth {
        let next = format!("self.next(self.s{}, foreach=\"x\")", level + 1);
        step(&format!("s{level}"), "self", &next);
    }
    step(
        &format!("s{depth}"),
        "self",
        &format!("self.next(self.j{depth})"),
    );
    for level in (1..=depth).rev() {
        let next = match level {
            1 => "self.next(self.end)".to_owned(),
            _ => format!("self.next(self.j{})", level - 1),
        };
        step(&format!("j{level}"), "self, inputs", &next);
    }
    step("end", "self", "pass");
    let manifest = manifest(&plan(&text), EmptyForeach::Fail);
    let text = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
}
