//! Text to syntax tree: the only place that calls the parser.

use ruff_python_ast::{ModModule, PySourceType};
use ruff_python_parser::{ParseError, parse_unchecked_source};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, SourceFile, SourceTree, Span};

/// Syntax errors shown at most; the rest is most likely an echo of the first ones.
const ERRORS_MAX: usize = 10;

/// One file, with the parser's offsets turned into spans.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// Its place in the tree.
    pub(super) id: FileId,
    file: &'a SourceFile,
}

impl<'a> Source<'a> {
    pub(super) fn new(tree: &'a SourceTree, id: FileId) -> Self {
        Self {
            id,
            file: tree.file(id),
        }
    }

    /// Where a node stands.
    pub(super) fn span(&self, node: &impl Ranged) -> Span {
        let range = node.range();
        Span {
            file: self.id,
            start: range.start().to_u32(),
            end: range.end().to_u32(),
        }
    }

    /// What a node looks like.
    pub(super) fn text(&self, node: &impl Ranged) -> &'a str {
        let range = node.range();
        self.file
            .text
            .get(range.start().to_usize()..range.end().to_usize())
            .unwrap_or_default()
    }

    /// 1-based line of an offset.
    pub(super) fn line(&self, at: TextSize) -> u32 {
        self.file.position(at.to_u32()).line
    }

    /// The first line with something on it, for findings about the file as a whole.
    pub(super) fn head(&self) -> Span {
        let text = &self.file.text;
        let start = text.len() - text.trim_start_matches(['\u{feff}', '\n', '\r', ' ']).len();
        let length = text[start..].lines().next().unwrap_or_default().len();
        Span {
            file: self.id,
            start: start as u32,
            end: (start + length) as u32,
        }
    }
}

/// Parses and recovers: the tree holds whatever could be understood around the errors.
pub(super) fn parse(source: &Source<'_>) -> (ModModule, Vec<TextRange>, Diagnostics) {
    let parsed = parse_unchecked_source(&source.file.text, PySourceType::Python);
    let ranges = parsed.errors().iter().map(|error| error.location).collect();
    let found = errors(source, parsed.errors());
    (parsed.into_syntax(), ranges, found)
}

/// One finding for each line with an error: the parser reports several where one token is missing.
fn errors(source: &Source<'_>, errors: &[ParseError]) -> Diagnostics {
    let mut first_of_line: Vec<(u32, &ParseError)> = Vec::new();
    for error in errors {
        let line = source.line(error.location.start());
        if first_of_line.iter().all(|(known, _)| *known != line) {
            first_of_line.push((line, error));
        }
    }
    first_of_line.sort_by_key(|(line, _)| *line);

    let mut found = Diagnostics::default();
    let shown = first_of_line.len().min(ERRORS_MAX);
    let hidden = first_of_line.len() - shown;
    for (index, (_, error)) in first_of_line.into_iter().take(shown).enumerate() {
        let message = format!("syntax error: {}", uncapitalised(&error.error.to_string()));
        let diagnostic = Diagnostic::error(
            Code::FC0001,
            message,
            source.span(&error.location),
            "Python cannot read this",
        );
        let last = index + 1 == shown;
        found.push(if last && hidden > 0 {
            diagnostic.note(format!("{hidden} more lines with syntax errors follow"))
        } else {
            diagnostic
        });
    }
    found
}

fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
