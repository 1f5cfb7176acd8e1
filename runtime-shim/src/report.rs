//! Telling the orchestrator what became of a task, through the files that it names.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::task::TaskReport;

/// Longest report, bytes: Kubernetes cuts the termination message here.
const SIZE_MAX: usize = 4096;

/// The files that the environment names.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Takes the whole report.
    pub whole: Option<PathBuf>,
    /// Takes the bare count of a foreach.
    pub count: Option<PathBuf>,
    /// Takes the bare name of the step that a switch chose.
    pub next: Option<PathBuf>,
}

/// Writes what there is to say where the environment asks for it.
pub fn write(report: &TaskReport, files: &Files) -> std::io::Result<()> {
    if let Some(file) = &files.whole {
        put(file, &text(report))?;
    }
    if let (Some(file), Some(number)) = (&files.count, report.count) {
        put(file, &number.to_string())?;
    }
    if let (Some(file), Some(next)) = (&files.next, &report.next) {
        put(file, next)?;
    }
    Ok(())
}

/// `{"count": n}` after a split, `{"next": "name"}` after a switch, one line of error after a failure, else nothing.
fn text(report: &TaskReport) -> String {
    if let Some(error) = &report.error {
        let line = error.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut end = line.len().min(SIZE_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        return line[..end].to_owned();
    }
    match (report.count, &report.next) {
        (Some(count), _) => json!({"count": count}).to_string(),
        (None, Some(next)) => json!({"next": next}).to_string(),
        (None, None) => String::new(),
    }
}

/// The file may be one that Kubernetes has mounted, so that it is written in place.
fn put(file: &Path, text: &str) -> std::io::Result<()> {
    std::fs::File::create(file)?.write_all(text.as_bytes())
}
