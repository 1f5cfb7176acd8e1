//! The table of `docs/constructs.md`: each construct on each executor, and what was shown there.
//!
//! Each column belongs to one test, which compares it with what it found; `UPDATE_GOLDEN=1` writes it instead.

#![expect(
    clippy::unwrap_used,
    reason = "part of a test, where a panic is how it fails"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;

use crate::constructs::CONSTRUCTS;
use crate::repo_root;

/// The columns besides the construct and what it shows.
pub const COLUMNS: &[&str] = &[
    "as Metaflow",
    "resume",
    "step-functions",
    "argo",
    "airflow 3.3",
    "airflow 2.11",
];

/// What a cell holds that no test has filled.
const NOTHING: &str = "–";

fn file() -> PathBuf {
    repo_root().join("docs/constructs.md")
}

/// Compares a column with what was found, by construct.
///
/// # Panics
/// If they differ, or the table cannot be read.
pub fn agree(column: &str, found: &BTreeMap<&str, String>) {
    assert!(COLUMNS.contains(&column), "no column is called `{column}`");
    // Several tests may write at once.
    let guard = File::create(std::env::temp_dir().join("flowc-constructs.lock")).unwrap();
    guard.lock().unwrap();
    let text = fs::read_to_string(file()).unwrap_or_default();
    let mut cells = read(&text);
    let mut wrong = Vec::new();
    for construct in CONSTRUCTS {
        let known = cells.entry((construct.name.to_owned(), column.to_owned()));
        let known = known.or_insert_with(|| NOTHING.to_owned());
        let found = found.get(construct.name).map_or(NOTHING, String::as_str);
        if known != found {
            wrong.push(format!("{}: {known} is now {found}", construct.name));
            found.clone_into(known);
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file(), with_table(&text, &cells)).unwrap();
        return;
    }
    assert!(
        wrong.is_empty(),
        "the column `{column}` of docs/constructs.md is stale (UPDATE_GOLDEN=1 writes it):\n{}",
        wrong.join("\n")
    );
}

/// The cells by construct and column.
fn read(text: &str) -> BTreeMap<(String, String), String> {
    let mut rows = text.lines().filter(|line| line.starts_with('|'));
    let split = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    let head = rows.next().map(split).unwrap_or_default();
    let mut cells = BTreeMap::new();
    for row in rows.skip(1).map(split) {
        let name = row[0].trim_matches('`').to_owned();
        for (column, cell) in head.iter().zip(&row).skip(2) {
            cells.insert((name.clone(), column.clone()), cell.clone());
        }
    }
    cells
}

/// The text with its table written anew; what stands around it stays.
fn with_table(text: &str, cells: &BTreeMap<(String, String), String>) -> String {
    let is_row = |line: &&str| line.starts_with('|');
    let before: Vec<&str> = text.lines().take_while(|line| !is_row(line)).collect();
    let behind = text.lines().skip(before.len()).skip_while(is_row);
    let mut out = before.join("\n");
    out.push('\n');
    let head = ["construct", "what it shows"].iter().chain(COLUMNS);
    let head: Vec<&str> = head.copied().collect();
    writeln!(out, "| {} |", head.join(" | ")).unwrap();
    writeln!(out, "|{}", "---|".repeat(head.len())).unwrap();
    for construct in CONSTRUCTS {
        let cell = |column: &&str| {
            let key = (construct.name.to_owned(), (*column).to_owned());
            cells.get(&key).map_or(NOTHING, String::as_str).to_owned()
        };
        let row: Vec<String> = COLUMNS.iter().map(cell).collect();
        let (name, what) = (construct.name, construct.what);
        writeln!(out, "| `{name}` | {what} | {} |", row.join(" | ")).unwrap();
    }
    for line in behind {
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_table_is_read_again() {
        let mut cells = BTreeMap::new();
        let key = |column: &str| (CONSTRUCTS[0].name.to_owned(), column.to_owned());
        cells.insert(key("argo"), "7".to_owned());
        let text = with_table("# Head\n\n| old |\n\nfoot\n", &cells);
        assert!(text.starts_with("# Head\n\n| construct |") && text.ends_with("|\n\nfoot\n"));
        let back = read(&text);
        assert_eq!(back[&key("argo")], "7");
        assert_eq!(back[&key("resume")], NOTHING);
    }
}
