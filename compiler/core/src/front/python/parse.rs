//! Text to syntax tree: the only place that calls the parser.

use super::depth::{self, DEPTH_MAX};
use ruff_python_ast::{AtomicNodeIndex, ModModule, PySourceType};
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

    /// Path below the root.
    pub(super) fn path(&self) -> &'a str {
        &self.file.path
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

    /// Where the first line of a node stands: a whole block would drown the message.
    pub(super) fn head_of(&self, node: &impl Ranged) -> Span {
        let mut span = self.span(node);
        let text = self.text(node);
        let head = text.split(['\n', '\r']).next().unwrap_or_default();
        span.end = span.start + head.trim_end().len() as u32;
        span
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

    /// The first line of code, for findings about the file as a whole; the first line if there is no code.
    pub(super) fn head(&self) -> Span {
        let mut start = 0;
        let mut head = (0, 0);
        for line in self.file.text.split_inclusive('\n') {
            let blanks = line.len() - line.trim_start_matches(['\u{feff}', ' ']).len();
            let code = line.trim_end();
            if code.len() > blanks && !code[blanks..].starts_with('#') {
                head = (start + blanks, start + code.len());
                break;
            }
            start += line.len();
        }
        Span {
            file: self.id,
            start: head.0 as u32,
            end: head.1 as u32,
        }
    }
}

/// Parses and recovers: the tree holds whatever could be understood around the errors.
pub(super) fn parse(source: &Source<'_>) -> (ModModule, Vec<TextRange>, Diagnostics) {
    let parsed = parse_unchecked_source(&source.file.text, PySourceType::Python);
    let mut ranges: Vec<TextRange> = parsed.errors().iter().map(|error| error.location).collect();
    let mut found = errors(source, parsed.errors());
    let module = depth::measured(parsed.into_syntax()).unwrap_or_else(|range| {
        let message = format!("syntax error: nested more than {DEPTH_MAX} levels deep");
        let span = source.head_of(&range);
        found.push(Diagnostic::error(Code::FC0001, message, span, ""));
        ranges.push(range);
        empty()
    });
    (module, ranges, found)
}

fn empty() -> ModModule {
    ModModule {
        node_index: AtomicNodeIndex::NONE,
        range: TextRange::default(),
        body: std::iter::empty().collect(),
    }
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
        let diagnostic =
            Diagnostic::error(Code::FC0001, message, source.head_of(&error.location), "");
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
