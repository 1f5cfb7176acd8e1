//! Findings for programs: one JSON object per line.

use serde::Serialize;

use super::severity_name;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::{SourceTree, Span};

/// One finding. Members are only ever added.
#[derive(Serialize)]
struct Line<'d> {
    code: &'static str,
    severity: &'static str,
    message: &'d str,
    /// The primary place; absent where there is no source to point at.
    #[serde(flatten)]
    place: Option<Place>,
    labels: Vec<Label<'d>>,
    notes: &'d [String],
    help: Option<&'d str>,
    fix: Option<Fix<'d>>,
}

/// Lines and columns count from 1, columns in characters; the end is exclusive.
#[derive(Serialize)]
struct Place {
    path: String,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
struct Label<'d> {
    #[serde(flatten)]
    place: Place,
    text: &'d str,
    primary: bool,
}

#[derive(Serialize)]
struct Fix<'d> {
    #[serde(flatten)]
    place: Place,
    replacement: &'d str,
    title: &'d str,
}

/// All findings in their present order, each a line.
pub fn json(tree: &SourceTree, diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics.iter() {
        // Texts and numbers always become JSON.
        if let Ok(line) = serde_json::to_string(&line(tree, diagnostic)) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

fn line<'d>(tree: &SourceTree, diagnostic: &'d Diagnostic) -> Line<'d> {
    let labels = diagnostic.labels.iter().enumerate();
    Line {
        code: diagnostic.code.as_str(),
        severity: severity_name(diagnostic.severity),
        message: &diagnostic.message,
        place: diagnostic
            .labels
            .first()
            .map(|label| place(tree, label.span)),
        labels: labels
            .map(|(index, label)| Label {
                place: place(tree, label.span),
                text: &label.text,
                primary: index == 0,
            })
            .collect(),
        notes: &diagnostic.notes,
        help: diagnostic.help.as_deref(),
        fix: diagnostic.fix.as_ref().map(|fix| Fix {
            place: place(tree, fix.span),
            replacement: &fix.replacement,
            title: &fix.title,
        }),
    }
}

fn place(tree: &SourceTree, span: Span) -> Place {
    let file = tree.file(span.file);
    let (start, end) = (file.position(span.start), file.position(span.end));
    Place {
        path: tree.shown_path(span.file),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
    }
}
