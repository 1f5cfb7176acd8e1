//! One flow, one meaning: every example on every executor leaves the same artifacts (DESIGN §8).
//!
//! Each example is run on this machine, then compiled, deployed, triggered and run on each orchestrator's bed, by the
//! commands that people use. All artifacts of all tasks are compared with the local run, and the official Metaflow
//! client reads each run after `flowc sync`. All executors have the same Python and the same wheels.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

mod executors;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowc_tests::beds::argo::Argo;
use flowc_tests::{metaflow_python, repo_root, report};
use serde_json::{Value, json};

use crate::executors::Local;

/// An example and the parameters that it gets.
struct Case {
    name: &'static str,
    class: &'static str,
    parameters: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "hello",
        class: "HelloFlow",
        parameters: &["--who", "Ada Łovelace $(id) {{workflow.name}} 'q\" $$"],
    },
    Case {
        name: "statistics",
        class: "StatisticsFlow",
        parameters: &[],
    },
    Case {
        name: "branches",
        class: "BranchesFlow",
        parameters: &[
            "--items",
            "nut,bolt",
            "--copies",
            "7",
            "--express",
            "True",
            "--prices",
            r#"{"bolt": 31, "nut": 2, "gift": 99}"#,
        ],
    },
    Case {
        name: "model_selection",
        class: "ModelSelectionFlow",
        parameters: &[],
    },
];

impl Case {
    fn file(&self) -> PathBuf {
        repo_root().join("examples").join(self.name).join("flow.py")
    }
}

#[test]
fn every_example_means_the_same_on_every_executor() {
    let Some(argo) = Argo::up("argo") else {
        return;
    };
    let local = Local::new(&argo.bed);
    let executors = executors::all(&argo);
    let mut table =
        String::from("example × executor: run, artifacts compared with the local run\n");
    let mut wrong = Vec::new();
    for case in CASES {
        let ours = local.run(case);
        writeln!(table, "{}\n    {:<16} {ours}", case.name, "local").unwrap();
        for executor in &executors {
            let name = executor.name();
            let run = match executor.run(case) {
                Ok(run) => run,
                Err(said) => {
                    writeln!(table, "    {name:<16} failed").unwrap();
                    wrong.push(format!("{} on {name}: {said}", case.name));
                    continue;
                }
            };
            let found = compare(case, &local, &ours, &executor.store(case), &run);
            writeln!(
                table,
                "    {name:<16} {run}: {} tasks, {} artifacts, {} of them equal by value",
                found["tasks"],
                found["artifacts"],
                found["equal_by_value"].as_array().map_or(0, Vec::len),
            )
            .unwrap();
            let none = found["artifacts"].as_u64().unwrap_or(0) == 0;
            if none || found["equal"] != json!(true) {
                wrong.push(format!("{} on {name}: {:#}", case.name, found["different"]));
            }
            if let Err(said) = executor.read_by_client(case, &run) {
                wrong.push(format!(
                    "{} on {name}, Metaflow's client: {said}",
                    case.name
                ));
            }
        }
    }
    report(&table);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Compares the artifacts of two runs of one flow.
fn compare(case: &Case, local: &Local, ours: &str, store: &Path, theirs: &str) -> Value {
    let output = Command::new(metaflow_python())
        .arg(repo_root().join("tests/beds/metaflow/compare.py"))
        .arg(case.class)
        .arg(local.store())
        .arg(ours)
        .arg(store)
        .arg(theirs)
        .arg("--file")
        .arg(case.file())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| json!({"different": String::from_utf8_lossy(&output.stderr)}))
}
