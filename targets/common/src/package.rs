//! The code package: a canonical tar with one identity, and the rule that says which files go into it.
//!
//! The digest is that of the uncompressed tar, since gzip's bytes change with the library that made them.

use std::io::{self, Read as _};

use flowc_protocol::manifest;

use crate::names::sha256_hex;

/// Name of the file that marks a folder as a bundle, so that a bundle written beside the flow never changes its next package.
pub const BUNDLE_MARKER: &str = ".flowc-bundle";

/// Name of the file with patterns of what must not go into the package, one a line, `#` starts a comment.
pub const IGNORE_FILE: &str = ".flowcignore";

/// Endings of files that always go into the package, in any case, as Metaflow's defaults (`suffix_filter`, read at 2.19.39).
const SUFFIXES: [&str; 3] = [".py", ".R", ".RDS"];

/// A file of the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Path below the package's root, with `/`, without `.` or `..`.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// Mode 0755 instead of 0644.
    pub executable: bool,
}

/// A finished package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The uncompressed tar.
    pub tar: Vec<u8>,
    /// Its sha256, 64 hex digits: the package's identity.
    pub sha256: String,
}

/// A file as it lies in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Path below the package's root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Digest of the content, 64 hex digits.
    pub sha256: String,
    /// Mode 0755 instead of 0644.
    pub executable: bool,
}

impl Package {
    /// What the package holds, `plan.json` too, sorted by path; an error says that it is no package.
    pub fn contents(&self) -> io::Result<Vec<Content>> {
        let mut archive = tar::Archive::new(self.tar.as_slice());
        let entries = archive.entries()?.map(|entry| {
            let mut entry = entry?;
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            Ok(Content {
                path: entry.path()?.to_string_lossy().into_owned(),
                size: bytes.len() as u64,
                sha256: sha256_hex(&bytes),
                executable: entry.header().mode()? & 0o111 != 0,
            })
        });
        entries.collect()
    }
}

/// What a file of that many bytes takes in a package: its header, and its content in whole blocks of 512.
pub const fn size_of(bytes: u64) -> u64 {
    512 + bytes.div_ceil(512) * 512
}

/// The files cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Two files have the same path, or one has the name of the plan.
    #[error("two files of the package are called `{0}`")]
    Duplicate(String),
    /// A path that is absolute, leaves the root, or is too long for a ustar header (about 255 bytes).
    #[error("the path `{path}` cannot stand in a package: {reason}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Packs the files, among them `plan.json`: sorted by path, mode 0644 or 0755, mtime 0, no owner.
pub fn pack(mut files: Vec<PackageFile>, plan: &[u8]) -> Result<Package, PackageError> {
    files.push(PackageFile {
        path: manifest::FILE_NAME.to_owned(),
        bytes: plan.to_vec(),
        executable: false,
    });
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(PackageError::Duplicate(pair[0].path.clone()));
    }
    let mut tar = tar::Builder::new(Vec::new());
    for file in &files {
        let refuse = |reason: String| PackageError::Path {
            path: file.path.clone(),
            reason,
        };
        let named = |part: &str| !matches!(part, "" | "." | "..");
        if !file.path.split('/').all(named) || file.path.contains('\\') {
            return Err(refuse("it must lie below the root".to_owned()));
        }
        let mut header = tar::Header::new_ustar();
        header
            .set_path(&file.path)
            .map_err(|error| refuse(error.to_string()))?;
        header.set_size(file.bytes.len() as u64);
        header.set_mode(if file.executable { 0o755 } else { 0o644 });
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        append(&mut tar, &header, &file.bytes).map_err(|error| refuse(error.to_string()))?;
    }
    let tar = tar.into_inner().map_err(|error| PackageError::Path {
        path: String::new(),
        reason: error.to_string(),
    })?;
    let sha256 = sha256_hex(&tar);
    Ok(Package { tar, sha256 })
}

fn append(tar: &mut tar::Builder<Vec<u8>>, header: &tar::Header, bytes: &[u8]) -> io::Result<()> {
    tar.append(header, bytes)
}

/// Which files of a tree go into the package.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: Vec<Pattern>,
    ignore: Vec<Pattern>,
}

impl Selection {
    /// `include` from `flowc.toml`; `ignore` is the text of `.flowcignore`, empty if there is none.
    pub fn new<'a>(include: impl IntoIterator<Item = &'a str>, ignore: &str) -> Self {
        let ignored = ignore
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            include: include.into_iter().map(Pattern::new).collect(),
            ignore: ignored.map(Pattern::new).collect(),
        }
    }

    /// Whether a folder below the root is looked into. `entries` are the names in it.
    ///
    /// Not: folders whose name starts with a dot, `__pycache__`, virtual environments, bundles, and what is ignored.
    pub fn enters<'a>(&self, path: &str, entries: impl IntoIterator<Item = &'a str>) -> bool {
        let marked = |name| matches!(name, BUNDLE_MARKER | "pyvenv.cfg");
        !path.split('/').any(is_hidden)
            && !self.ignore.iter().any(|pattern| pattern.matches(path))
            && !entries.into_iter().any(marked)
    }

    /// Whether a file goes into the package, if every folder above it is entered.
    pub fn takes(&self, path: &str) -> bool {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let usual = SUFFIXES.iter().any(|suffix| {
            let start = path.len().saturating_sub(suffix.len());
            let end = path.as_bytes().get(start..).unwrap_or_default();
            end.eq_ignore_ascii_case(suffix.as_bytes())
        });
        let named = || self.include.iter().any(|pattern| pattern.matches(path));
        !folder.split('/').any(is_hidden)
            && (usual || named())
            && !self.ignore.iter().any(|pattern| pattern.matches(path))
    }
}

fn is_hidden(folder: &str) -> bool {
    folder.starts_with('.') || folder == "__pycache__"
}

/// A pattern in the manner of `.gitignore`: `*` and `?` stay within a name, `**` spans folders,
/// a pattern without `/` matches at any depth, and one that matches a folder matches all below it.
#[derive(Clone, Debug)]
struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let anchored = text.trim_end_matches('/').contains('/');
        let parts = text.split('/').filter(|part| !part.is_empty());
        let depth = (!anchored).then_some("**");
        Self {
            parts: depth.into_iter().chain(parts).map(str::to_owned).collect(),
        }
    }

    fn matches(&self, path: &str) -> bool {
        // `open[i]`: the first parts of the path can be matched by the first `i` parts of the pattern.
        let closure = |open: &mut Vec<bool>| {
            for (place, part) in self.parts.iter().enumerate() {
                if open[place] && part == "**" {
                    open[place + 1] = true;
                }
            }
        };
        let mut open = vec![false; self.parts.len() + 1];
        open[0] = true;
        closure(&mut open);
        for name in path.split('/') {
            let mut next = vec![false; open.len()];
            for (place, part) in self
                .parts
                .iter()
                .enumerate()
                .filter(|(place, _)| open[*place])
            {
                if part == "**" {
                    next[place] = true;
                } else if name_matches(part.as_bytes(), name.as_bytes()) {
                    next[place + 1] = true;
                }
            }
            closure(&mut next);
            open = next;
            // The whole pattern is used up at a folder: all below it belongs to it.
            if open.last() == Some(&true) {
                return true;
            }
        }
        false
    }
}

/// `*` is any run of bytes, `?` one byte.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut retry = None;
    while place < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[place] => {
                at += 1;
                place += 1;
            }
            Some(_) | None => {
                let Some((star, from)) = retry else {
                    return false;
                };
                retry = Some((star, from + 1));
                at = star + 1;
                place = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str, text: &str) -> PackageFile {
        PackageFile {
            path: path.to_owned(),
            bytes: text.as_bytes().to_vec(),
            executable: false,
        }
    }

    #[test]
    fn a_package_is_what_it_was() {
        let package = pack(
            vec![file("flow.py", "x = 1\n"), file("a/b.py", "")],
            b"{}\n",
        )
        .unwrap();
        assert_eq!(package.tar.len() % 512, 0);
        assert_eq!(&package.tar[..7], b"a/b.py\0");
        assert_eq!(&package.tar[100..107], b"0000644");
        assert_eq!(&package.tar[136..147], b"00000000000");
        assert_eq!(&package.tar[265..297], &[0; 32], "no owner name");
        assert_eq!(
            package.sha256,
            "48494bb6fee8fdb474bc73a9f0b940511c06b70dd3a3bb36e1ebcc1e1dd306ef"
        );
        let contents = package.contents().unwrap();
        let shown: Vec<_> = contents
            .iter()
            .map(|file| (file.path.as_str(), file.size, &file.sha256[..8]))
            .collect();
        assert_eq!(
            shown,
            [
                ("a/b.py", 0, "e3b0c442"),
                ("flow.py", 6, "9e26bf36"),
                ("plan.json", 3, "ca3d163b")
            ]
        );
        // And the two blocks of zeros that end a tar.
        let sum: u64 = contents.iter().map(|file| size_of(file.size)).sum();
        assert_eq!(package.tar.len() as u64, sum + 1024);
    }

    #[test]
    fn order_does_not_matter_and_mode_does() {
        let one = pack(vec![file("a.py", "1"), file("b.py", "2")], b"{}").unwrap();
        let other = pack(vec![file("b.py", "2"), file("a.py", "1")], b"{}").unwrap();
        assert_eq!(one, other);
        let mut script = file("a.py", "1");
        script.executable = true;
        let third = pack(vec![script, file("b.py", "2")], b"{}").unwrap();
        assert_ne!(one.sha256, third.sha256);
    }

    #[test]
    fn what_cannot_be_packed_is_refused() {
        for path in ["../x.py", "/x.py", "a//b.py", "./a.py", "plan.json"] {
            assert!(pack(vec![file(path, "")], b"{}").is_err(), "{path}");
        }
        assert!(pack(vec![file(&"x".repeat(300), "")], b"{}").is_err());
        assert!(
            pack(
                vec![file(
                    &format!("{}/{}.py", "d".repeat(90), "x".repeat(90)),
                    ""
                )],
                b"{}"
            )
            .is_ok()
        );
    }

    #[test]
    fn the_usual_files_are_taken() {
        let selection = Selection::new(
            ["data/*.csv", "*.sql", "assets"],
            "# no\nscratch/\n*_test.py\n/top.py\n",
        );
        for path in [
            "flow.py",
            "a/b.py",
            "m.R",
            "m.RDS",
            "m.r",
            "é.Rds",
            "data/x.csv",
            "q.sql",
            "deep/er/q.sql",
            "assets/a/b.bin",
            "a/top.py",
        ] {
            assert!(selection.takes(path), "{path}");
        }
        for path in [
            "README.md",
            "data/deep/x.csv",
            ".git/hook.py",
            "a/__pycache__/x.py",
            "scratch/x.py",
            "a/scratch/x.py",
            "a_test.py",
        ] {
            assert!(!selection.takes(path), "{path}");
        }
    }

    #[test]
    fn folders_that_are_no_source_are_not_entered() {
        let selection = Selection::new([], "build");
        assert!(selection.enters("src", ["a.py"]));
        for (path, entry) in [
            (".venv", "x"),
            ("a/.git", "x"),
            ("__pycache__", "x"),
            ("env", "pyvenv.cfg"),
            ("out", BUNDLE_MARKER),
            ("build", "x"),
        ] {
            assert!(!selection.enters(path, [entry]), "{path}");
        }
    }

    proptest! {
        #[test]
        fn stars_match_as_defined(prefix in "[ab]{0,4}", middle in "[abc]{0,6}", suffix in "[ab]{0,4}") {
            let pattern = format!("{prefix}*{suffix}");
            let name = format!("{prefix}{middle}{suffix}");
            prop_assert!(name_matches(pattern.as_bytes(), name.as_bytes()));
            let longer = format!("{name}x");
            prop_assert_eq!(name_matches(pattern.as_bytes(), longer.as_bytes()), suffix.is_empty());
        }
    }
}
