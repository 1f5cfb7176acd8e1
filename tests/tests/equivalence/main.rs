//! One flow, one meaning: every example on every executor leaves the same artifacts (DESIGN §8).
//!
//! Each example is run on this machine, then compiled, deployed, triggered and run on each orchestrator's bed, by the
//! commands that people use. All artifacts of all tasks are compared with the local run, and the official Metaflow
//! client reads each run after `flowc sync`. All executors have the same Python and the same wheels.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

mod executors;
mod recorded;

use std::fmt::Write as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use flowc_tests::beds::argo::Argo;
use flowc_tests::{metaflow_python, repo_root, report};
use serde_json::{Value, json};

use crate::executors::{Executor, Local};

/// An example and the parameters that it gets.
struct Case {
    name: &'static str,
    class: &'static str,
    parameters: &'static [&'static str],
    /// Whether its runs succeed. Of those that fail the recorded attempts are compared: tracebacks hold paths.
    succeeds: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "hello",
        class: "HelloFlow",
        parameters: &["--who", "Ada Łovelace $(id) {{workflow.name}} 'q\" $$"],
        succeeds: true,
    },
    Case {
        name: "statistics",
        class: "StatisticsFlow",
        parameters: &[],
        succeeds: true,
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
        succeeds: true,
    },
    Case {
        name: "model_selection",
        class: "ModelSelectionFlow",
        parameters: &[],
        succeeds: true,
    },
    Case {
        name: "nested",
        class: "NestedFlow",
        parameters: &["--margin", "0.35"],
        succeeds: true,
    },
    Case {
        name: "troubles",
        class: "TroublesFlow",
        parameters: &[],
        succeeds: false,
    },
];

impl Case {
    fn folder(&self) -> PathBuf {
        let folder = if self.succeeds {
            "examples"
        } else {
            "tests/tests/equivalence"
        };
        repo_root().join(folder).join(self.name)
    }

    fn file(&self) -> PathBuf {
        self.folder().join("flow.py")
    }
}

/// What became of an example on an executor: a cell of the table, and what is wrong.
#[derive(Default)]
struct Cell {
    text: String,
    wrong: Option<String>,
}

#[test]
fn every_example_means_the_same_on_every_executor() {
    let Some(argo) = Argo::up("argo") else {
        return;
    };
    let local = Local::new(&argo.bed);
    let ours: Vec<String> = CASES.iter().map(|case| local.run(case)).collect();
    // Each executor takes its time to come up and then mostly waits for pods.
    let columns: Vec<(String, Vec<Cell>)> = thread::scope(|scope| {
        let started: Vec<_> = executors::ALL
            .iter()
            .map(|start| scope.spawn(|| Some(column(&*start(&argo)?, &local, &ours))))
            .collect();
        let joined = started.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .filter_map(|column| column.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    report(&table(&ours, &columns));
    let wrong: Vec<&str> = columns
        .iter()
        .flat_map(|(_, cells)| cells)
        .filter_map(|cell| cell.wrong.as_deref())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Runs the examples on an executor, and compares what they leave with the local runs.
fn column(executor: &dyn Executor, local: &Local, ours: &[String]) -> (String, Vec<Cell>) {
    let name = executor.name();
    let cells = CASES.iter().zip(ours).map(|(case, ours)| {
        if !executor.takes(case) {
            return Cell::default();
        }
        let run = match executor.run(case) {
            Ok(run) => run,
            Err(said) => {
                return Cell {
                    text: "failed".to_owned(),
                    wrong: Some(format!("{} on {name}: {said}", case.name)),
                };
            }
        };
        let store = executor.store(case);
        if !case.succeeds {
            let attempts = |store: &Path, run: &str| {
                recorded::attempts(store, &format!("{}/{run}", case.class))
            };
            let (left, right) = (attempts(&local.store(), ours), attempts(&store, &run));
            let count: usize = right.values().map(|told| told.len() - 1).sum();
            return Cell {
                text: format!("{run}: {count} attempts"),
                wrong: (left != right).then(|| {
                    format!(
                        "{} on {name}: {left:#?}\nhere, and there\n{right:#?}",
                        case.name
                    )
                }),
            };
        }
        let found = compare(case, local, ours, &store, &run);
        let artifacts = found["artifacts"].as_u64().unwrap_or(0);
        let mut wrong = Vec::new();
        if artifacts == 0 || found["equal"] != json!(true) {
            wrong.push(format!("{} on {name}: {:#}", case.name, found["different"]));
        }
        if let Err(said) = executor.read_by_client(case, &run) {
            wrong.push(format!(
                "{} on {name}, Metaflow's client: {said}",
                case.name
            ));
        }
        Cell {
            text: format!("{run}: {artifacts}"),
            wrong: (!wrong.is_empty()).then(|| wrong.join("\n")),
        }
    });
    let cells = cells.collect();
    (name, cells)
}

/// A row for each example, a column for each executor: the run, and how many artifacts were compared with the local run.
fn table(ours: &[String], columns: &[(String, Vec<Cell>)]) -> String {
    let mut rows = vec![vec!["run: artifacts".to_owned(), "local".to_owned()]];
    rows[0].extend(columns.iter().map(|(name, _)| name.clone()));
    for (number, (case, ours)) in CASES.iter().zip(ours).enumerate() {
        let mut row = vec![case.name.to_owned(), ours.clone()];
        row.extend(columns.iter().map(|(_, cells)| cells[number].text.clone()));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut table = String::new();
    for row in &rows {
        for (text, width) in row.iter().zip(&widths) {
            write!(table, "{text:<width$}  ").unwrap();
        }
        table.push('\n');
    }
    table
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
