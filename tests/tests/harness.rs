//! The Python harness has tests of its own, which play the shim; here they run on every Python that this machine has.

use std::path::Path;
use std::process::Command;

use flowc_tests::{metaflow_python, python, repo_root, report};

const HARNESS: &str = "runtime-shim/python/tests";
const BED: &str = "tests/beds/metaflow";

/// Runs the unit tests of a folder and returns the last line of their report: `OK`, or `OK (skipped=3)`.
fn unittest(python: &Path, folder: &str) -> String {
    let output = Command::new(python)
        .args(["-m", "unittest", "discover", "--quiet", "--start-directory"])
        .arg(folder)
        .current_dir(repo_root())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|why| panic!("cannot start {}: {why}", python.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("Ran 0 tests"),
        "{}: {said}",
        python.display()
    );
    said.trim_end()
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned()
}

fn on(version: &str) {
    let line = match python(version) {
        Some(python) => unittest(&python, HARNESS),
        None => "skipped: this machine has none".to_owned(),
    };
    report(&format!("harness on Python {version}: {line}"));
}

#[test]
fn on_python_3_8() {
    on("3.8");
}

#[test]
fn on_python_3_9() {
    on("3.9");
}

#[test]
fn on_python_3_10() {
    on("3.10");
}

#[test]
fn on_python_3_11() {
    on("3.11");
}

#[test]
fn on_python_3_12() {
    on("3.12");
}

#[test]
fn on_python_3_13() {
    on("3.13");
}

/// With Metaflow, numpy and scikit-learn beside it, nothing is skipped.
#[test]
fn with_metaflow_and_numpy_installed() {
    let line = unittest(metaflow_python(), HARNESS);
    assert_eq!(line, "OK");
}

#[test]
fn the_comparison_of_runs_tells_equal_from_different() {
    let line = unittest(metaflow_python(), BED);
    assert_eq!(line, "OK");
}
