//! Real Metaflow and flowc run the same unmodified files; what they leave behind must be the same.
//!
//! The flows are the examples and those of the tutorials in Metaflow's own package.
//! DESIGN §8 says what equal means; `tests/beds/metaflow/compare.py` does it.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

mod bed;
#[path = "../flows/mod.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod flows;
mod random;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use flowc_tests::constructs::{CONSTRUCTS, Construct};
use flowc_tests::matrix;
use flowc_tests::{flowc, metaflow_python, repo_root, report, run};
use serde_json::{Value, json};

use crate::bed::{Bed, Case, Random};
use crate::table::Table;

fn example(name: &'static str, class: &'static str, arguments: &'static [&'static str]) -> Case {
    Case {
        name,
        file: repo_root().join("examples").join(name).join("flow.py"),
        class,
        arguments,
        random: Random::Free,
        in_place: false,
    }
}

fn examples() -> Vec<Case> {
    vec![
        example("hello", "HelloFlow", &[]),
        example("hello", "HelloFlow", &["--who", "Ada Łovelace"]),
        example(
            "hello",
            "HelloFlow",
            &[
                "--with",
                "retry:times=1,minutes_between_retries=0",
                "--with",
                r#"environment:vars={"COLOUR": "blue, not red"}"#,
            ],
        ),
        example("statistics", "StatisticsFlow", &[]),
        example("branches", "BranchesFlow", &[]),
        example(
            "branches",
            "BranchesFlow",
            &[
                "--items",
                "nut,bolt",
                "--copies",
                "7",
                "--express",
                "True",
                "--prices",
                r#"{"bolt": 31, "nut": 2, "gift": 99}"#,
            ],
        ),
        example("model_selection", "ModelSelectionFlow", &[]),
    ]
}

fn construct(construct: &Construct) -> Case {
    Case {
        name: construct.name,
        file: construct.file(),
        class: construct.class,
        arguments: construct.arguments,
        random: Random::Free,
        in_place: false,
    }
}

/// The folder of the tutorials in the installed package.
fn tutorials() -> PathBuf {
    let script =
        "import metaflow, os; print(os.path.join(os.path.dirname(metaflow.__file__), 'tutorials'))";
    PathBuf::from(run(Command::new(metaflow_python()).args(["-c", script])).trim())
}

/// The tutorials, and what flowc does with each: runs it, or says why not, or there is only a notebook.
enum Tutorial {
    Runs(&'static str),
    /// Draws at random without a seed, makes a list of a set, or reads the latest run of the tutorial before, which flowc left.
    Draws(&'static str),
    /// Metaflow would solve packages for a step (`@conda`) or send it to a cluster (`@kubernetes`) wherever the flow runs:
    /// here it runs the unmodified file with the packages of the bed and in place, as flowc does.
    InPlace(&'static str),
    Notebook,
}

const TUTORIALS: &[(&str, Tutorial)] = &[
    ("00-helloworld/helloworld.py", Tutorial::Runs("HelloFlow")),
    ("01-playlist/playlist.py", Tutorial::Draws("PlayListFlow")),
    ("02-statistics/stats.py", Tutorial::Draws("MovieStatsFlow")),
    (
        "03-playlist-redux/playlist.py",
        Tutorial::Draws("PlayListFlow"),
    ),
    (
        "04-playlist-plus/playlist.py",
        Tutorial::InPlace("PlayListFlow"),
    ),
    (
        "05-hello-cloud/hello-cloud.py",
        Tutorial::InPlace("HelloCloudFlow"),
    ),
    ("06-statistics-redux/stats.ipynb", Tutorial::Notebook),
    ("07-worldview/worldview.ipynb", Tutorial::Notebook),
    ("08-autopilot/autopilot.ipynb", Tutorial::Notebook),
];

#[test]
fn examples_leave_the_same_artifacts() {
    let bed = Bed::new();
    let mut table = Table::default();
    for case in examples() {
        table.compare(&bed, &case);
    }
    table.finish("Examples run by Metaflow and by flowc");
}

#[test]
fn constructs_leave_the_same_artifacts() {
    let bed = Bed::new();
    let mut table = Table::default();
    let (mut shown, mut resumed) = (BTreeMap::new(), BTreeMap::new());
    for row in CONSTRUCTS {
        let case = construct(row);
        let compared = table.compare(&bed, &case);
        shown.insert(row.name, compared.artifacts.to_string());
        let again = bed.resume_flowc(&case, row.resume_from, &compared.run);
        let found = bed.compare(&case, &compared.run, &again);
        if found["equal"] != json!(true) {
            let different = &found["different"];
            table
                .wrong
                .push(format!("{} resumed: {different:#}", row.name));
        }
        resumed.insert(row.name, found["artifacts"].to_string());
    }
    table.finish("Constructs run by Metaflow and by flowc");
    matrix::agree("resume", &resumed);
    matrix::agree("as Metaflow", &shown);
}

#[test]
fn tutorials_leave_the_same_artifacts() {
    let bed = Bed::new();
    let folder = tutorials();
    let mut table = Table::default();
    for (name, what) in TUTORIALS {
        let file = folder.join(name);
        assert!(file.is_file(), "{} is missing", file.display());
        match what {
            Tutorial::Runs(class) | Tutorial::Draws(class) | Tutorial::InPlace(class) => {
                let random = if matches!(what, Tutorial::Runs(_)) {
                    Random::Free
                } else {
                    Random::Seeded
                };
                table.compare(
                    &bed,
                    &Case {
                        name,
                        file,
                        class,
                        arguments: &[],
                        random,
                        in_place: matches!(what, Tutorial::InPlace(_)),
                    },
                );
            }
            Tutorial::Notebook => {
                table.lines.push(format!(
                    "{name}\n    a notebook that reads the runs of others; no flow in it"
                ));
            }
        }
    }
    // A tutorial that a newer Metaflow adds must not be forgotten.
    let all = fs::read_dir(&folder)
        .unwrap()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir());
    let all: Vec<_> = all
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    for name in all
        .iter()
        .filter(|name| name.as_bytes()[0].is_ascii_digit())
    {
        assert!(
            TUTORIALS
                .iter()
                .any(|(path, _)| path.starts_with(name.as_str())),
            "{name} is not listed"
        );
    }
    table.finish("Metaflow's tutorials");
}

#[test]
fn metaflow_commands_work_on_runs_of_flowc() {
    let bed = Bed::new();
    let mut lines = Vec::new();
    for case in [
        example("statistics", "StatisticsFlow", &[]),
        example("branches", "BranchesFlow", &[]),
    ] {
        let id = bed.run_flowc(&case);
        let pathspec = format!("{}/{id}", case.class);
        let file = case.file.display().to_string();
        let text = bed.client(&["commands", &file, &pathspec]);
        let found: Value = serde_json::from_str(&text).unwrap();
        let count = |key: &str| found[key].as_u64().unwrap();
        assert_eq!(
            count("dumped"),
            count("tasks"),
            "`dump` of {pathspec}: {found}"
        );
        assert!(count("logged") > 0, "`logs` of {pathspec}: {found}");
        assert_eq!(
            found["resumed_successful"],
            json!(true),
            "`resume` of {pathspec}: {found}"
        );
        assert_eq!(
            count("cloned"),
            count("tasks") - 1,
            "`resume end` clones all but the end: {found}"
        );
        let resumed = found["resumed"]
            .as_str()
            .unwrap()
            .split('/')
            .nth(1)
            .unwrap();
        let same = bed.compare(&case, &id, resumed);
        assert_eq!(
            same["equal"],
            json!(true),
            "{}: {:#}",
            case.name,
            same["different"]
        );
        lines.push(format!(
            "{pathspec}: dump of {}, logs of {} lines, resume cloned {} tasks",
            found["dumped"], found["logged"], found["cloned"],
        ));
    }
    report(&format!(
        "Metaflow's commands on runs of flowc\n{}",
        lines.join("\n")
    ));
}

/// Fails at first and succeeds once the file `mended` is there.
const BREAKS: &str = r#"
import os
from metaflow import FlowSpec, step


class BreaksFlow(FlowSpec):
    @step
    def start(self):
        self.shards = ["a", "b", "c"]
        self.next(self.work, foreach="shards")

    @step
    def work(self):
        self.shard = self.input
        if self.shard == "b" and not os.path.exists("mended"):
            raise ValueError("shard b is broken")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.done = [task.shard for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    BreaksFlow()
"#;

#[test]
fn metaflow_resumes_a_failed_run_of_flowc() {
    let bed = Bed::new();
    let file = bed.root.path().join("breaks.py");
    fs::write(&file, BREAKS).unwrap();
    let id = bed.root.path().join("id");
    let output = bed
        .command(flowc())
        .arg("run")
        .arg(&file)
        .arg("--python")
        .arg(metaflow_python())
        .arg("--run-id-file")
        .arg(&id)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "the run fails: {said}");
    let failed = fs::read_to_string(&id).unwrap();
    let seen = bed.describe(&format!("BreaksFlow/{failed}"));
    assert_eq!(seen["successful"], json!(false));
    assert_eq!(seen["tasks"]["work[1]"]["successful"], json!(false));
    let exception = seen["tasks"]["work[1]"]["exception"].as_str().unwrap();
    assert!(
        exception.contains("ValueError: shard b is broken"),
        "{exception}"
    );

    fs::write(bed.root.path().join("mended"), "").unwrap();
    run(bed
        .command(metaflow_python())
        .arg(&file)
        .args([
            "--no-pylint",
            "resume",
            "--origin-run-id",
            &failed,
            "--run-id-file",
        ])
        .arg(&id));
    let resumed = bed.describe(&format!("BreaksFlow/{}", fs::read_to_string(&id).unwrap()));
    assert_eq!(resumed["successful"], json!(true));
    let origins = |place: &str| resumed["tasks"][place]["metadata"]["origin-run-id"].clone();
    assert_eq!(origins("work[0]"), json!(failed), "what was done is cloned");
    let resumed = format!("BreaksFlow/{}", fs::read_to_string(&id).unwrap());
    let done = bed.client(&["value", &resumed, "done"]);
    assert_eq!(done.trim(), r#"["a", "b", "c"]"#);
}
