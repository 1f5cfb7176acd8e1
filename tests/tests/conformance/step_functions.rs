//! State machines are read by `asl-validator`, and the parameters of their tasks compared with the AWS APIs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use flowc_step_functions::StepFunctions;
use flowc_tests::{repo_root, temp_dir};

use super::{assert_no_problems, bundles, feed, json, tool};

fn machines(folder: &std::path::Path) -> Vec<PathBuf> {
    let files = bundles(&StepFunctions, folder);
    let machines: Vec<_> = files
        .into_iter()
        .map(|file| file.path)
        .filter(|path| path.ends_with("state-machine.asl.json"))
        .collect();
    assert!(machines.len() > 5, "{machines:?}");
    machines
}

fn validator(paths: &[PathBuf]) -> (bool, String) {
    let script = tool("npm").join("node_modules/asl-validator/dist/bin/asl-validator.js");
    let mut command = Command::new("node");
    command.arg(script);
    for path in paths {
        command.arg("--json-path").arg(path);
    }
    feed(&mut command, "")
}

#[test]
fn asl_validator_accepts_the_state_machines() {
    let folder = temp_dir();
    let (well, text) = validator(&machines(folder.path()));
    assert!(well, "{text}");
}

/// A validator that accepts everything would prove nothing.
#[test]
fn asl_validator_refuses_a_broken_state_machine() {
    let folder = temp_dir();
    let machine = machines(folder.path()).remove(0);
    let broken = fs::read_to_string(&machine)
        .unwrap()
        .replace("\"StartAt\": \"", "\"StartAt\": \"no-");
    fs::write(&machine, broken).unwrap();
    let (well, text) = validator(&[machine]);
    assert!(!well, "{text}");
}

fn parameters(paths: &[PathBuf]) -> serde_json::Value {
    let mut command = Command::new(tool("lint"));
    command
        .arg(repo_root().join("tests/beds/aws/check_parameters.py"))
        .args(paths);
    json(feed(&mut command, ""))
}

#[test]
fn tasks_pass_what_the_apis_take() {
    let folder = temp_dir();
    let machines = machines(folder.path());
    let found = parameters(&machines);
    assert_no_problems(&found["problems"]);
    assert!(found["tasks"].as_u64().unwrap() > machines.len() as u64);
}

#[test]
fn a_misspelt_api_field_is_found() {
    let folder = temp_dir();
    let machine = machines(folder.path()).remove(0);
    let broken = fs::read_to_string(&machine)
        .unwrap()
        .replace("\"JobName", "\"JobNme");
    fs::write(&machine, broken).unwrap();
    let found = parameters(&[machine]);
    assert!(
        found["problems"].to_string().contains("no such field"),
        "{found}"
    );
}
