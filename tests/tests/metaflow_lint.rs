//! What Metaflow's checks of the graph refuse we refuse, and what they accept we accept.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use flowc_core::source::SourceTree;
use flowc_core::{front, lower};
use flowc_tests::{metaflow_python, repo_root, run, temp_dir};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

mod flows;

/// Flows that are tried, half of them with a mistake.
const FLOWS: usize = 400;

/// Metaflow's word on each file: `ok`, or `refused` and why.
fn verdicts(files: &[PathBuf]) -> Vec<String> {
    let mut command = Command::new(metaflow_python());
    command.arg(repo_root().join("tests/beds/metaflow/lint.py"));
    let printed = run(command.args(files).env("PYTHONDONTWRITEBYTECODE", "1"));
    let verdicts: Vec<String> = printed.lines().map(str::to_owned).collect();
    assert_eq!(verdicts.len(), files.len(), "{printed}");
    verdicts
}

fn is_accepted(text: &str) -> bool {
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", text);
    let (flow, found) = front::python::lower(&tree, file, None);
    let flow = flow.filter(|_| !found.has_errors());
    flow.is_some_and(|flow| lower::plan(&tree, &flow).0.is_some())
}

#[test]
fn random_flows_are_judged_alike() {
    let folder = temp_dir();
    let mut runner = TestRunner::deterministic();
    let strategy = (flows::sample(), flows::mistake());
    let mut files = Vec::new();
    let mut ours = Vec::new();
    for number in 0..FLOWS / 4 {
        let sample = flows::sample_that_chooses();
        let sample = sample.new_tree(&mut runner).unwrap().current();
        let text = flows::source(&sample.lines);
        let path = folder.path().join(format!("choosing_{number}.py"));
        fs::write(&path, &text).unwrap();
        ours.push((is_accepted(&text), sample.shape));
        files.push(path);
    }
    for number in 0..FLOWS {
        let (sample, mistake) = strategy.new_tree(&mut runner).unwrap().current();
        let mut lines = sample.lines;
        if number % 2 == 1 {
            flows::make(&mut lines, &mistake);
        }
        let text = flows::source(&lines);
        let path = folder.path().join(format!("flow_{number}.py"));
        fs::write(&path, &text).unwrap();
        ours.push((is_accepted(&text), sample.shape));
        files.push(path);
    }
    for ((file, (ours, shape)), theirs) in files.iter().zip(&ours).zip(verdicts(&files)) {
        let text = fs::read_to_string(file).unwrap();
        assert_eq!(
            *ours,
            theirs == "ok",
            "Metaflow: {theirs}\nonce {shape}\n{text}"
        );
    }
    assert_eq!(
        ours.iter().filter(|(accepted, _)| *accepted).count(),
        FLOWS / 2 + FLOWS / 4
    );
}

/// What Metaflow's checks accept and we refuse: nesting without end, and names that no file can have, with which its runs fail.
const ONLY_OURS: [&str; 3] = ["FC0124/", "FC0104/long_flow.py", "FC0104/too_long.py"];

#[test]
fn fixtures_of_graph_rules_are_refused_by_metaflow() {
    let mut files = Vec::new();
    for folder in fs::read_dir(repo_root().join("tests/diagnostics")).unwrap() {
        let folder = folder.unwrap().path();
        let code = folder.file_name().unwrap().to_string_lossy().into_owned();
        if code.starts_with("FC01") {
            let paths = fs::read_dir(folder).unwrap();
            files.extend(paths.map(|path| path.unwrap().path()));
        }
    }
    let known = files.len();
    files.retain(|file| {
        let path = file.to_string_lossy();
        !ONLY_OURS.iter().any(|ours| path.contains(ours))
    });
    assert!(known >= files.len() + ONLY_OURS.len());
    files.sort();
    for (file, theirs) in files.iter().zip(verdicts(&files)) {
        assert!(
            theirs.starts_with("refused"),
            "{}: {theirs}",
            file.display()
        );
    }
}
