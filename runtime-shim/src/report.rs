//! Telling the orchestrator what became of a task, through the files that it names.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use crate::task::TaskReport;

/// Longest report, bytes: Kubernetes cuts the termination message here.
const SIZE_MAX: usize = 4096;

/// Writes the report and the bare count where the environment asks for them.
pub fn write(
    report: &TaskReport,
    whole: Option<&Path>,
    count: Option<&Path>,
) -> std::io::Result<()> {
    if let Some(file) = whole {
        put(file, &text(report))?;
    }
    if let (Some(file), Some(number)) = (count, report.count) {
        put(file, &number.to_string())?;
    }
    Ok(())
}

/// `{"count": n}` after a split, one line of error after a failure, else nothing.
fn text(report: &TaskReport) -> String {
    if let Some(error) = &report.error {
        let line = error.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut end = line.len().min(SIZE_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        return line[..end].to_owned();
    }
    report
        .count
        .map(|count| json!({"count": count}).to_string())
        .unwrap_or_default()
}

/// The file may be one that Kubernetes has mounted, so that it is written in place.
fn put(file: &Path, text: &str) -> std::io::Result<()> {
    std::fs::File::create(file)?.write_all(text.as_bytes())
}
