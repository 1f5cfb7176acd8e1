//! One flow, one meaning: every example and every construct on every executor leaves the same artifacts (DESIGN §8).
//!
//! Each flow is run on this machine, then compiled, deployed, triggered and run on each orchestrator's bed, by the
//! commands that people use. All artifacts of all tasks are compared with the local run, and the official Metaflow
//! client reads each run after `flowc sync`. All executors have the same Python and the same wheels.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

mod executors;
mod recorded;

use std::fmt::Write as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use flowc_tests::beds::argo::Argo;
use flowc_tests::constructs::{CONSTRUCTS, Construct};
use flowc_tests::matrix;
use flowc_tests::{Forks, metaflow_python, repo_root, report};
use serde_json::{Value, json};

use crate::executors::{Executor, Local};

/// A flow and the parameters that it gets.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// What holds its folder, below the repository's root.
    shelf: &'static str,
    class: &'static str,
    parameters: &'static [&'static str],
    /// Whether its runs succeed. Of those that fail the recorded attempts are compared: tracebacks hold paths.
    succeeds: bool,
}

const EXAMPLES: &[Case] = &[
    Case {
        name: "hello",
        shelf: "examples",
        class: "HelloFlow",
        parameters: &["--who", "Ada Łovelace $(id) {{workflow.name}} 'q\" $$"],
        succeeds: true,
    },
    Case {
        name: "statistics",
        shelf: "examples",
        class: "StatisticsFlow",
        parameters: &[],
        succeeds: true,
    },
    Case {
        name: "branches",
        shelf: "examples",
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
        shelf: "examples",
        class: "ModelSelectionFlow",
        parameters: &[],
        succeeds: true,
    },
    Case {
        name: "grid",
        shelf: "tests/tests/equivalence",
        class: "GridFlow",
        parameters: &[],
        succeeds: true,
    },
    Case {
        name: "troubles",
        shelf: "tests/tests/equivalence",
        class: "TroublesFlow",
        parameters: &[],
        succeeds: false,
    },
];

impl Case {
    fn folder(&self) -> PathBuf {
        repo_root().join(self.shelf).join(self.name)
    }

    fn file(&self) -> PathBuf {
        self.folder().join("flow.py")
    }
}

/// The examples, and a flow for each construct.
fn cases() -> Vec<Case> {
    let construct = |construct: &Construct| Case {
        name: construct.name,
        shelf: construct.shelf,
        class: construct.class,
        parameters: construct.arguments,
        succeeds: true,
    };
    let constructs = CONSTRUCTS.iter().map(construct);
    EXAMPLES.iter().copied().chain(constructs).collect()
}

/// What became of a flow on an executor: a cell of the table, and what is wrong.
#[derive(Clone, Default)]
struct Cell {
    text: String,
    /// Artifacts that were compared, or the code by which the target refuses the flow.
    shown: String,
    wrong: Option<String>,
}

/// `FLOWC_TEST_EXECUTOR` names the one that is tried, as in the matrix.
#[test]
fn every_example_means_the_same_on_every_executor() {
    let Some(argo) = Argo::up("argo") else {
        return;
    };
    let cases = cases();
    let local = Local::new(&argo.bed, &cases);
    // Each executor takes its time to come up and then mostly waits for pods.
    let only = std::env::var("FLOWC_TEST_EXECUTOR").ok();
    let chosen = |name: &str| only.as_ref().is_none_or(|only| name == only);
    let columns: Vec<(String, Vec<Cell>)> = thread::scope(|scope| {
        let started: Vec<_> = executors::ALL
            .iter()
            .filter(|(name, _)| chosen(name))
            .map(|(_, start)| start)
            .map(|start| scope.spawn(|| Some(column(&*start(&argo)?, &local, &cases))))
            .collect();
        let joined = started.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .filter_map(|column| column.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    report(&table(&cases, &local, &columns));
    let wrong: Vec<&str> = columns
        .iter()
        .flat_map(|(_, cells)| cells)
        .filter_map(|cell| cell.wrong.as_deref())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    for (name, cells) in &columns {
        let named = cases.iter().zip(cells);
        let shown = named.map(|(case, cell)| (case.name, cell.shown.clone()));
        let column = matrix::COLUMNS.iter().find(|it| name.starts_with(**it));
        matrix::agree(column.unwrap(), &shown.collect());
    }
}

/// Runs the flows on an executor, a few at a time, and compares what they leave with the local runs.
fn column(executor: &dyn Executor, local: &Local, cases: &[Case]) -> (String, Vec<Cell>) {
    let python = executor.client(metaflow_python());
    let scripts = Forks::start(python, &["boto3", "metaflow"]);
    let next = AtomicUsize::new(0);
    let cells = Mutex::new(vec![Cell::default(); cases.len()]);
    thread::scope(|scope| {
        for _ in 0..executor.at_once() {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number).filter(|case| executor.takes(case)) else {
                        if number < cases.len() {
                            continue;
                        }
                        return;
                    };
                    let cell = cell(executor, &scripts, local, case);
                    cells.lock().unwrap()[number] = cell;
                }
            });
        }
    });
    (executor.name(), cells.into_inner().unwrap())
}

fn cell(executor: &dyn Executor, scripts: &Forks, local: &Local, case: &Case) -> Cell {
    let name = executor.name();
    if let Some(code) = executor.refusal(case) {
        return Cell {
            text: code.clone(),
            shown: code,
            wrong: None,
        };
    }
    let run = match executor.run(case) {
        Ok(run) => run,
        Err(said) => {
            return Cell {
                text: "failed".to_owned(),
                wrong: Some(format!("{} on {name}: {said}", case.name)),
                ..Cell::default()
            };
        }
    };
    let store = executor.store(case, scripts);
    let ours = local.run(case);
    if !case.succeeds {
        let attempts =
            |store: &Path, run: &str| recorded::attempts(store, &format!("{}/{run}", case.class));
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
            ..Cell::default()
        };
    }
    let found = compare(scripts, case, (&local.store(), ours), (&store, &run));
    let artifacts = found["artifacts"].as_u64().unwrap_or(0);
    let mut wrong = Vec::new();
    if artifacts == 0 || found["equal"] != json!(true) {
        wrong.push(format!("{} on {name}: {:#}", case.name, found["different"]));
    }
    if let Err(said) = executor.read_by_client(case, &run, scripts) {
        wrong.push(format!(
            "{} on {name}, Metaflow's client: {said}",
            case.name
        ));
    }
    Cell {
        text: format!("{run}: {artifacts}"),
        shown: artifacts.to_string(),
        wrong: (!wrong.is_empty()).then(|| wrong.join("\n")),
    }
}

/// A row for each flow, a column for each executor: the run, and how many artifacts were compared with the local run.
fn table(cases: &[Case], local: &Local, columns: &[(String, Vec<Cell>)]) -> String {
    let mut rows = vec![vec!["run: artifacts".to_owned(), "local".to_owned()]];
    rows[0].extend(columns.iter().map(|(name, _)| name.clone()));
    for (number, case) in cases.iter().enumerate() {
        let mut row = vec![case.name.to_owned(), local.run(case).to_owned()];
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

/// Compares the artifacts of two runs of one flow, each the store's root and the run's id.
fn compare(scripts: &Forks, case: &Case, ours: (&Path, &str), theirs: (&Path, &str)) -> Value {
    let path = |path: &Path| path.display().to_string();
    let said = scripts.run(
        "tests/beds/metaflow/compare.py",
        &[
            case.class,
            &path(ours.0),
            ours.1,
            &path(theirs.0),
            theirs.1,
            "--file",
            &path(&case.file()),
        ],
    );
    serde_json::from_str(&said.stdout).unwrap_or_else(|_| json!({"different": said.stderr}))
}
