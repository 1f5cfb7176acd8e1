//! Findings as GitHub workflow commands, which become annotations in a pull request.

use std::fmt::Write as _;

use super::severity_name;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::SourceTree;

/// All findings in their present order, each a line.
pub fn github(tree: &SourceTree, diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics.iter() {
        out.push_str(&command(tree, diagnostic));
        out.push('\n');
    }
    out
}

fn command(tree: &SourceTree, diagnostic: &Diagnostic) -> String {
    let mut out = format!("::{} ", severity_name(diagnostic.severity));
    if let Some(label) = diagnostic.labels.first() {
        let file = tree.file(label.span.file);
        let (start, end) = (
            file.position(label.span.start),
            file.position(label.span.end),
        );
        let path = property(&tree.shown_path(label.span.file));
        let _ = write!(out, "file={path},line={},", start.line);
        // Columns of an annotation that spans several lines are refused.
        if start.line == end.line {
            let _ = write!(out, "col={},endColumn={},", start.column, end.column);
        } else {
            let _ = write!(out, "endLine={},", end.line);
        }
    }
    let _ = write!(
        out,
        "title={}::{}",
        diagnostic.code,
        data(&body(diagnostic))
    );
    out
}

/// The message, and below it what people read next to the excerpt elsewhere.
fn body(diagnostic: &Diagnostic) -> String {
    let mut lines = vec![diagnostic.message.clone()];
    let first = diagnostic.labels.first().map(|label| &label.text);
    lines.extend(first.filter(|text| !text.is_empty()).cloned());
    lines.extend(diagnostic.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(diagnostic.help.iter().map(|help| format!("help: {help}")));
    lines.extend(
        diagnostic
            .fix
            .iter()
            .map(|fix| format!("help: {}", fix.title)),
    );
    lines.join("\n")
}

/// Escapes a message (`actions/toolkit`, packages/core/src/command.ts, `escapeData`).
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property (the same file, `escapeProperty`).
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
