//! The static front end and Python give the same flow.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flowc_core::diag::{Diagnostics, render};
use flowc_core::front::python::{self, description};
use flowc_core::ir::flow::{Decorator, Flow};
use flowc_core::source::SourceTree;
use flowc_tests::repo_root;
use serde_json::json;

/// The flows whose every part can be read, and what Python makes of them.
#[test]
fn static_front_end_and_python_give_the_same_flow() {
    let mut compared = 0;
    for file in flow_files() {
        let (tree, reading) = read(&file, None);
        if !reading.unknown.is_empty() || reading.found.has_errors() {
            continue;
        }
        let class = reading.class.clone().unwrap();
        let text = ask(&file, &class);
        let description = description::parse(&text)
            .unwrap()
            .unwrap_or_else(|why| panic!("{}: {why:?}", file.display()));
        let (other_tree, described) = read(&file, Some(&description));
        assert_no(&other_tree, &described.found);
        assert_no(&tree, &reading.unknown);
        let (left, right) = (
            shape(&reading.flow.unwrap()),
            shape(&described.flow.unwrap()),
        );
        assert_eq!(left, right, "{}", file.display());
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} flows were compared");
}

fn assert_no(tree: &SourceTree, found: &Diagnostics) {
    assert!(
        found.is_empty(),
        "{}",
        render::text(tree, found, render::Colour::Never)
    );
}

/// The examples and the tests' flows.
fn flow_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["examples", "tests/flows"] {
        for entry in fs::read_dir(repo_root().join(folder)).unwrap() {
            let file = entry.unwrap().path().join("flow.py");
            if file.is_file() {
                files.push(file);
            }
        }
    }
    files.push(repo_root().join("targets/common/tests/graph_info/flow.py"));
    files.sort();
    files
}

fn read(
    file: &Path,
    description: Option<&description::Description>,
) -> (SourceTree, python::Reading) {
    let root = file.parent().unwrap();
    let mut tree = SourceTree::default();
    let id = tree.add("flow.py", fs::read_to_string(file).unwrap());
    let mut fetch = |path: &str| fs::read_to_string(root.join(path)).ok();
    let reading = python::read(&mut tree, id, None, description, &mut fetch);
    (tree, reading)
}

/// The harness' answer for a file.
fn ask(file: &Path, class: &str) -> String {
    let harness = repo_root().join("runtime-shim/python/flowc/harness.py");
    let mut child = Command::new(flowc_tests::metaflow_python())
        .arg(harness)
        .arg("describe")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let question = json!({"root": file.parent().unwrap(), "file": "flow.py", "flow": class});
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(question.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_once('\n').unwrap().1.to_owned()
}

/// Everything that Python could have another opinion of, with its spans.
fn shape(flow: &Flow) -> String {
    let decorators = |list: &[Decorator]| format!("{list:#?}");
    let mut parts = vec![
        decorators(&flow.decorators),
        format!("{:#?}", flow.parameters),
        format!("{:#?}", flow.constants),
    ];
    for (_, step) in flow.steps.iter() {
        parts.push(step.name.value.clone());
        parts.push(decorators(&step.decorators));
    }
    parts.join("\n")
}
