//! Findings as text with excerpts of the source, drawn by `annotate-snippets`.

use std::ops::Range;

use annotate_snippets::renderer::{DecorStyle, Renderer};
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Snippet};

use crate::diag::{Diagnostic, Diagnostics, Fix, Label, Severity};
use crate::source::{FileId, SourceTree, Span};

/// Columns after which a line of source is cut.
const WIDTH: usize = 140;

/// Whether escape sequences for colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// For a terminal.
    Always,
}

/// All findings in their present order, separated by empty lines; ends with a line end unless there is none.
pub fn text(tree: &SourceTree, diagnostics: &Diagnostics, colour: Colour) -> String {
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut out = String::new();
    for diagnostic in diagnostics.iter() {
        if !out.is_empty() {
            out.push('\n');
        }
        let report = renderer.render(&report(tree, diagnostic));
        for line in report.lines() {
            // Without an excerpt the renderer still rules off where one would be.
            if !diagnostic.labels.is_empty() || line.trim() != "|" {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

fn report<'s>(tree: &'s SourceTree, diagnostic: &'s Diagnostic) -> Vec<Group<'s>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str());
    let mut main = Group::with_title(title);
    for file in files(&diagnostic.labels) {
        main = main.element(snippet(tree, file, &diagnostic.labels));
    }
    for note in &diagnostic.notes {
        main = main.element(Level::NOTE.message(note.as_str()));
    }
    let mut groups = vec![main];
    if let Some(help) = &diagnostic.help {
        groups.push(Group::with_title(
            Level::HELP.secondary_title(help.as_str()),
        ));
    }
    if let Some(fix) = &diagnostic.fix {
        groups.push(suggestion(tree, fix));
    }
    groups
}

/// The files of the labels, that of the primary one first.
fn files(labels: &[Label]) -> Vec<FileId> {
    let mut files = Vec::new();
    for label in labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

fn snippet<'s>(
    tree: &'s SourceTree,
    file: FileId,
    labels: &'s [Label],
) -> Snippet<'s, annotate_snippets::Annotation<'s>> {
    let primary = labels.first().map(|label| label.span);
    let here = labels.iter().filter(|label| label.span.file == file);
    let window = Window::around(tree, file, here.clone().map(|label| label.span));
    let annotations = here.map(|label| {
        let kind = if Some(label.span) == primary {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let text = (!label.text.is_empty()).then_some(label.text.as_str());
        kind.span(window.inside(label.span)).label(text)
    });
    Snippet::source(window.text)
        .line_start(window.line)
        .path(tree.shown_path(file))
        .annotations(annotations)
}

fn suggestion<'s>(tree: &'s SourceTree, fix: &'s Fix) -> Group<'s> {
    let window = Window::around(tree, fix.span.file, std::iter::once(fix.span));
    let patch = Patch::new(window.inside(fix.span), fix.replacement.as_str());
    Group::with_title(Level::HELP.secondary_title(fix.title.as_str())).element(
        Snippet::source(window.text)
            .line_start(window.line)
            .path(tree.shown_path(fix.span.file))
            .patch(patch),
    )
}

/// The lines that some spans cover.
/// The renderer reads all the text that it is given, which for many findings in a long file would take quadratic time.
struct Window<'s> {
    text: &'s str,
    /// Number of the first line, 1-based.
    line: usize,
    start: usize,
}

impl<'s> Window<'s> {
    fn around(
        tree: &'s SourceTree,
        file: FileId,
        spans: impl Iterator<Item = Span> + Clone,
    ) -> Self {
        let source = tree.file(file);
        let text = source.text.as_str();
        let first = spans.clone().map(|span| span.start).min().unwrap_or(0);
        let last = spans.map(|span| span.end).max().unwrap_or(0);
        let (first, last) = (first as usize, (last as usize).min(text.len()));
        let head = text.get(..first).unwrap_or(text);
        let start = head.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(last..).unwrap_or_default();
        let end = rest.find('\n').map_or(text.len(), |at| last + at);
        Self {
            text: text.get(start..end).unwrap_or_default(),
            line: source.position(start as u32).line as usize,
            start,
        }
    }

    fn inside(&self, span: Span) -> Range<usize> {
        let shift = |offset: u32| {
            (offset as usize)
                .saturating_sub(self.start)
                .min(self.text.len())
        };
        shift(span.start)..shift(span.end)
    }
}
