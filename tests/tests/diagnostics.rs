//! Fixtures that must be refused, each with marks where the findings are.
//!
//! `tests/diagnostics/FCnnnn/*.py` holds flows with mistakes.
//! A mark is a comment under the line it speaks of: carets under the columns of the primary label, the code,
//! and words that occur in the message, a label or the help:
//!
//! ```python
//!     self.next(self.trian)
//! #             ^^^^^^^^^^ FC0113 no step `trian`
//! ```
//!
//! Marks of one line follow each other; the first column, which the `#` covers, is written `#<- FC0003 no flow`.
//! Everything that is found must be marked and everything that is marked must be found.
//! A first line `# class: Name` asks for that class, as `file.py:Name` does.
//! `UPDATE_GOLDEN=1` rewrites the marks from what is found; the review is the diff.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::source::SourceTree;
use flowc_core::{front, lower};
use flowc_tests::repo_root;

/// Codes that no Python file can provoke; their fixtures are with what reports them.
const ELSEWHERE: &[&str] = &[
    "FC0026", "FC0027", "FC0028", "FC0029", "FC0031", "FC0034", "FC0035", "FC0225", "FC0226",
    "FC0301", "FC0302", "FC0303", "FC0304", "FC0305", "FC0306", "FC0308", "FC0309", "FC0311",
    "FC0312", "FC0313", "FC0314", "FC0315", "FC1001", "FC1002", "FC2001", "FC4001", "FC4002",
    "FC4003", "FC4004", "FC4005", "FC4006", "FC4007", "FC4008", "FC4009", "FC4010", "FC4020",
    "FC4021", "FC4022", "FC4023", "FC4024", "FC4025", "FC4026", "FC4027", "FC4028", "FC4030",
    "FC5001", "FC5002", "FC5003", "FC5004", "FC5005", "FC5006", "FC5007", "FC5008", "FC5009",
    "FC5010", "FC5011",
];

/// A finding as a mark can say it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    line: usize,
    column: usize,
    /// Characters under carets; `None` for `<-` and for what goes on over several lines.
    width: Option<usize>,
    code: String,
    text: String,
}

fn fixtures() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in sorted(&repo_root().join("tests/diagnostics")) {
        for file in sorted(&folder) {
            if file.extension().is_some_and(|extension| extension == "py") {
                files.push(file);
            }
        }
    }
    files
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|why| panic!("{}: {why}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// Everything that `flowc check` finds in the text.
fn find(text: &str) -> (SourceTree, Diagnostics) {
    let class = text.lines().next().unwrap_or_default();
    let class = class.strip_prefix("# class: ").map(str::trim);
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", text);
    let (flow, mut found) = front::python::lower(&tree, file, class);
    if let Some(flow) = flow {
        found.extend(lower::plan(&tree, &flow).1);
    }
    found.sort();
    (tree, found)
}

fn mark(tree: &SourceTree, item: &Diagnostic) -> Mark {
    let label = item
        .labels
        .first()
        .expect("every finding in a flow has a place");
    let at = tree.position(label.span);
    let covered = tree.text(label.span);
    let single = !covered.contains('\n') && at.column > 1;
    Mark {
        line: at.line as usize,
        column: at.column as usize,
        width: single.then(|| covered.chars().count().max(1)),
        code: item.code.to_string(),
        text: label.text.clone(),
    }
}

/// The mark that a line is, its own line number left out.
fn parse_mark(line: &str) -> Option<Mark> {
    let hash = line.chars().take_while(|letter| *letter == ' ').count();
    let after = line.trim_start_matches(' ').strip_prefix('#')?;
    let blanks = after.chars().take_while(|letter| *letter == ' ').count();
    let after = after.trim_start_matches(' ');
    let (column, width, after) = if let Some(after) = after.strip_prefix("<-") {
        (hash + 1, None, after)
    } else {
        let carets = after.chars().take_while(|letter| *letter == '^').count();
        let open = after[carets..].starts_with("...");
        let width = (!open).then_some(carets);
        let rest = after[carets..].trim_start_matches('.');
        (carets > 0).then_some((hash + blanks + 2, width, rest))?
    };
    let (code, text) = after.strip_prefix(' ')?.split_at_checked(6)?;
    Some(Mark {
        line: 0,
        column,
        width,
        code: code.to_owned(),
        text: text.trim().to_owned(),
    })
}

fn marks(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut spoken_of = 0;
    for (index, line) in text.lines().enumerate() {
        match parse_mark(line) {
            Some(mark) => marks.push(Mark {
                line: spoken_of,
                ..mark
            }),
            None => spoken_of = index + 1,
        }
    }
    marks
}

fn says(item: &Diagnostic, text: &str) -> bool {
    let mut all = item
        .labels
        .iter()
        .map(|label| &label.text)
        .chain(&item.help);
    item.message.contains(text) || all.any(|said| said.contains(text))
}

/// What differs between marks and findings, a line each.
fn differences(text: &str) -> String {
    let (tree, found) = find(text);
    let mut expected = marks(text);
    let mut report = String::new();
    for item in found.iter() {
        let is = mark(&tree, item);
        let position = expected.iter().position(|mark| {
            (mark.line, mark.column, mark.width, &mark.code)
                == (is.line, is.column, is.width, &is.code)
                && says(item, &mark.text)
        });
        if let Some(position) = position {
            expected.remove(position);
        } else {
            let place = format!("{}:{} {} wide", is.line, is.column, is.width.unwrap_or(0));
            writeln!(
                report,
                "  found, not marked: {place} {} {}",
                is.code, item.message
            )
            .unwrap();
        }
    }
    for mark in expected {
        writeln!(report, "  marked, not found: {mark:?}").unwrap();
    }
    report
}

/// The text with its marks written anew.
fn blessed(text: &str) -> String {
    let plain: Vec<&str> = text
        .lines()
        .filter(|line| parse_mark(line).is_none())
        .collect();
    let (tree, found) = find(&(plain.join("\n") + "\n"));
    let marks: Vec<(Mark, &Diagnostic)> =
        found.iter().map(|item| (mark(&tree, item), item)).collect();
    let mut out = String::new();
    for (index, line) in plain.iter().enumerate() {
        writeln!(out, "{line}").unwrap();
        for (mark, item) in marks.iter().filter(|(mark, _)| mark.line == index + 1) {
            let words = if mark.text.is_empty() {
                &item.message
            } else {
                &mark.text
            };
            let pointer = match (mark.column, mark.width) {
                (1, _) => "<-".to_owned(),
                (column, Some(width)) => " ".repeat(column - 2) + &"^".repeat(width),
                (column, None) => {
                    let width = line.chars().count() + 1 - column;
                    " ".repeat(column - 2) + &"^".repeat(width) + "..."
                }
            };
            writeln!(out, "#{pointer} {} {words}", mark.code).unwrap();
        }
    }
    out
}

#[test]
fn every_mistake_is_found_where_it_is_marked() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut report = String::new();
    for path in fixtures() {
        let mut text = fs::read_to_string(&path).unwrap();
        if update {
            let new = blessed(&text);
            if new != text {
                fs::write(&path, &new).unwrap();
                text = new;
            }
        }
        let folder = path.parent().and_then(Path::file_name).unwrap();
        let folder = folder.to_string_lossy().into_owned();
        let mut wrong = differences(&text);
        if !marks(&text).iter().any(|mark| mark.code == folder) {
            writeln!(wrong, "  has no mark of {folder}, the code of its folder").unwrap();
        }
        if !wrong.is_empty() {
            let name = path.strip_prefix(repo_root()).unwrap_or(&path).display();
            write!(report, "{name}\n{wrong}").unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// Breaking the marks of a fixture must break the test, or the test above says nothing.
#[test]
fn a_missing_or_wrong_mark_is_noticed() {
    let broken = "from metaflow import FlowSpec, S3\n";
    let marked = format!(
        "{broken}#                              ^^ FC0019 not provided\n#<- FC0003 no flow\n"
    );
    assert_eq!(differences(&marked), "");
    assert_eq!(blessed(broken).lines().count(), 3);
    for wrong in [
        broken.to_owned(),
        marked.replace("FC0019", "FC0014"),
        marked.replace("^^", "^"),
        marked.replace("#    ", "#   "),
        marked.replace("not provided", "something else"),
        marked.replace("\n#<-", "\n\n#<-"),
    ] {
        assert_ne!(differences(&wrong), "", "{wrong}");
    }
}

/// Code table, pages and fixtures name the same codes.
#[test]
fn codes_pages_and_fixtures_agree() {
    let text = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let codes: BTreeSet<String> = Code::ALL.iter().map(ToString::to_string).collect();
    let pages: BTreeSet<String> = sorted(&repo_root().join("docs/diagnostics"))
        .iter()
        .map(|page| text(page))
        .collect();
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(ToString::to_string).collect();
    let folders: BTreeSet<String> = fixtures()
        .iter()
        .filter_map(|file| file.parent().map(text))
        .collect();
    assert_eq!(pages, codes, "left: pages, right: codes");
    assert_eq!(folders, &codes - &elsewhere, "left: fixtures, right: codes");
}

/// Each page has the same sections, so that `flowc explain` reads alike.
#[test]
fn pages_have_all_sections() {
    for page in sorted(&repo_root().join("docs/diagnostics")) {
        let text = fs::read_to_string(&page).unwrap();
        let code: Code = page
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .parse()
            .expect("a code");
        let title = format!("# {code}: {}\n", code.title());
        assert!(
            text.starts_with(&title),
            "{} must start with {title}",
            page.display()
        );
        for section in ["What it means", "Why it matters", "Example", "Instead"] {
            assert!(
                text.contains(&format!("\n## {section}\n")),
                "{}: no section {section}",
                page.display()
            );
        }
    }
}
