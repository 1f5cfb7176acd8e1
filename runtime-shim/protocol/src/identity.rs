//! Names of runs and tasks, and the keys of everything a task leaves in the store.
//!
//! A task's name is its place in the unrolled graph, so every task can compute the names of its parents.

use std::fmt;
use std::str::FromStr;

/// The foreach indices of a task from the outermost to the innermost; empty outside any foreach.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexPath(Vec<u32>);

impl IndexPath {
    /// The path of a task outside any foreach.
    pub fn root() -> Self {
        Self::default()
    }

    /// One level deeper.
    #[must_use]
    pub fn child(&self, index: u32) -> Self {
        let mut path = self.0.clone();
        path.push(index);
        Self(path)
    }

    /// The first `depth` indices.
    #[must_use]
    pub fn truncated(&self, depth: usize) -> Self {
        Self(self.0.iter().take(depth).copied().collect())
    }

    /// The indices, outermost first.
    pub fn indices(&self) -> &[u32] {
        &self.0
    }

    /// The task's id: `t`, or `t-<index path>`.
    pub fn task_id(&self) -> String {
        if self.0.is_empty() {
            "t".to_owned()
        } else {
            format!("t-{self}")
        }
    }
}

/// A task's place in the open foreaches, and its iteration if its step may choose itself again.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The open foreaches.
    pub index: IndexPath,
    /// From 0; `None` for an ordinary task, and for the pointer to the last iteration that such a step leaves.
    pub iteration: Option<u32>,
}

impl fmt::Display for TaskId {
    /// `t`, `t-3-1`, `t.0`, `t-3-1.2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.index.task_id())?;
        match self.iteration {
            Some(iteration) => write!(f, ".{iteration}"),
            None => Ok(()),
        }
    }
}

impl FromStr for TaskId {
    type Err = InvalidIndexPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix('t').ok_or(InvalidIndexPath)?;
        let (path, iteration) = match rest.split_once('.') {
            Some((path, iteration)) => (path, Some(number(iteration)?)),
            None => (rest, None),
        };
        let index = match path.strip_prefix('-') {
            Some("" | "-") => return Err(InvalidIndexPath),
            Some(path) => path.parse()?,
            None if path.is_empty() => IndexPath::root(),
            None => return Err(InvalidIndexPath),
        };
        Ok(Self { index, iteration })
    }
}

/// A number without sign and leading zeros.
fn number(text: &str) -> Result<u32, InvalidIndexPath> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse()
        .ok()
        .filter(|_| canonical)
        .ok_or(InvalidIndexPath)
}

impl From<Vec<u32>> for IndexPath {
    fn from(indices: Vec<u32>) -> Self {
        Self(indices)
    }
}

impl fmt::Display for IndexPath {
    /// `3-1`; `-` for the root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        for (place, index) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("-")?;
            }
            write!(f, "{index}")?;
        }
        Ok(())
    }
}

/// The text is no index path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIndexPath;

impl FromStr for IndexPath {
    type Err = InvalidIndexPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text == "-" {
            return Ok(Self::root());
        }
        text.split('-')
            .map(number)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Longest name of a run that is kept whole, in bytes: the run id is the name of a folder, which has at most 255.
const RUN_NAME_MAX: usize = 200;

/// The run id for the raw value of [`crate::environment::RUN`]; `None` if it has no known form.
///
/// `id:X` is `X` as it is. Otherwise the part before the first colon is kept as prefix, and the name follows with
/// every run of characters outside `[A-Za-z0-9._-]` replaced by one `-`, cut to 200 characters, and a `-` and 8 hex digits
/// of the name's sha1 added if anything was replaced or cut, so that two names never share a run id.
pub fn run_id(raw: &str) -> Option<String> {
    use sha1::{Digest, Sha1};
    let (kind, name) = raw.split_once(':')?;
    if name.is_empty() || !matches!(kind, "id" | "sfn" | "argo" | "airflow") {
        return None;
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if kind == "id" {
        return name.chars().all(legal).then(|| name.to_owned());
    }
    if name.chars().all(legal) && name.len() <= RUN_NAME_MAX {
        return Some(format!("{kind}-{name}"));
    }
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        if legal(c) {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(RUN_NAME_MAX);
    let digest = Sha1::digest(name.as_bytes());
    let tail = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    Some(format!("{kind}-{}-{tail:08x}", slug.trim_end_matches('-')))
}

/// The pseudo step whose one task, `t`, holds the parameters and constants of a run.
pub const PARAMETERS_STEP: &str = "_parameters";

/// Folder of one task: `<Flow>/<run>/<step>/<task>`.
pub fn task_prefix(flow: &str, run: &str, step: &str, task: &str) -> String {
    format!("{flow}/{run}/{step}/{task}")
}

/// Key of a blob: `<Flow>/data/<k2>/<k>`; `key` is the sha1 of its uncompressed bytes, 40 hex digits.
pub fn blob_key(flow: &str, key: &str) -> String {
    format!("{flow}/data/{}/{key}", key.get(..2).unwrap_or(key))
}

/// A code package as [`crate::environment::PACKAGE`] names it: the store keeps it below the flow's folder, and a
/// container learns the flow's name from nowhere else.
pub fn package_name(flow: &str, sha256: &str) -> String {
    format!("{flow}/{sha256}")
}

/// Key of a code package: `<Flow>/packages/<sha256>.tgz`.
pub fn package_key(flow: &str, sha256: &str) -> String {
    format!("{flow}/packages/{sha256}.tgz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_paths_round_trip() {
        for text in ["-", "0", "3-1", "10-0-7"] {
            assert_eq!(text.parse::<IndexPath>().unwrap().to_string(), text);
        }
        for text in ["x", "1-", "-1", "01", "1--2", "+1"] {
            assert!(text.parse::<IndexPath>().is_err(), "{text}");
        }
        assert_eq!(IndexPath::root().task_id(), "t");
        assert_eq!(IndexPath::from(vec![3, 1]).task_id(), "t-3-1");
    }

    #[test]
    fn task_ids_round_trip() {
        for text in ["t", "t-0", "t-3-1", "t.0", "t-3-1.12"] {
            assert_eq!(text.parse::<TaskId>().unwrap().to_string(), text);
        }
        for text in [
            "", "x", "t-", "t--", "t3", "t.", "t.01", "t.x", "t-1.", "17",
        ] {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }

    #[test]
    fn run_ids_are_legal_and_distinct() {
        assert_eq!(
            run_id("id:1732190000000000").as_deref(),
            Some("1732190000000000")
        );
        assert_eq!(
            run_id("argo:hello-x7k2").as_deref(),
            Some("argo-hello-x7k2")
        );
        let scheduled = run_id("airflow:scheduled__2026-01-01T00:00:00+00:00").unwrap();
        assert!(
            scheduled.starts_with("airflow-scheduled__2026-01-01T00-00-00-00-00-"),
            "{scheduled}"
        );
        assert_ne!(run_id("airflow:a:b"), run_id("airflow:a+b"));
        let long = |end: &str| run_id(&format!("airflow:{}{end}", "x".repeat(240))).unwrap();
        assert!(long("1").len() < 255);
        assert_ne!(long("1"), long("2"));
        assert_eq!(run_id("nothing"), None);
        assert_eq!(run_id("id:a/b"), None);
    }
}
