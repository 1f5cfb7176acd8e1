//! What tests look at afterwards: how a command ended, and how often user code was started.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote, read as UTF-8.
    pub stdout: String,
    /// What it wrote, read as UTF-8.
    pub stderr: String,
}

/// Runs the command to its end, whatever that is.
pub fn output(command: &mut Command) -> Output {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|why| panic!("cannot start {command:?}: {why}"));
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What the store was asked to keep of a task.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts that were claimed, so that user code was started.
    pub started: usize,
    /// Commits.
    pub commits: usize,
}

/// How often user code was started for each task, `step/task`; `keys` are those below the run's folder.
pub fn attempts<'a>(keys: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Attempts> {
    let mut found: BTreeMap<String, Attempts> = BTreeMap::new();
    for key in keys {
        let [step, task, file] = key.split('/').collect::<Vec<_>>()[..] else {
            continue;
        };
        let attempts = found.entry(format!("{step}/{task}")).or_default();
        if file == "commit" {
            attempts.commits += 1;
        } else if file.ends_with(".attempt.json") {
            attempts.started += 1;
        }
    }
    found
}
