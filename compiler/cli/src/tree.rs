//! The folder of a flow as it becomes the code package: its files, and the links in it that lead elsewhere.
//!
//! A package holds plain files, so a link is replaced by what it leads to, under the link's own name: the container sees
//! the paths that a local run sees. As in Metaflow a link is not followed once more below a link to the same folder
//! (`walk_without_cycles`, read at 2.19.39), which ends every loop.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Most files and folders that links may lead to: links that lead to each other multiply a tree by each way through them.
const LINKED_MAX: usize = 1_000_000;

/// A file of the tree.
#[derive(Clone, Debug)]
pub(crate) struct TreeFile {
    /// Path below the root, with `/`.
    pub(crate) path: String,
    /// Where it is.
    pub(crate) place: PathBuf,
    /// Whether its owner may execute it.
    pub(crate) executable: bool,
    /// What it leads to, if it is a link that leads out of the tree.
    outside: Option<PathBuf>,
}

/// A link that leads out of the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    /// Its path below the root, with `/`.
    pub(crate) path: String,
    /// What it leads to, as it says itself.
    pub(crate) target: PathBuf,
}

/// All files below a folder.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Sorted by path.
    pub(crate) files: Vec<TreeFile>,
    /// Folders that are links and lead out of the tree.
    folders: Vec<Link>,
}

/// Links lead to more files and folders than anybody means to package.
#[derive(Debug, thiserror::Error)]
#[error("links lead to more than {0} files and folders")]
pub(crate) struct TooMany(usize);

/// Decides by path and by the names in it whether a folder is looked into.
pub(crate) type Enter<'a> = dyn Fn(&str, &[String]) -> bool + 'a;

/// All files below `root`.
pub(crate) fn walk(root: &Path, enter: &Enter<'_>) -> anyhow::Result<Tree> {
    Walk {
        root: canonical(root)?,
        enter,
        limit: LINKED_MAX,
        linked: 0,
        tree: Tree {
            files: Vec::new(),
            folders: Vec::new(),
        },
    }
    .all(root)
}

impl Tree {
    /// The links that lead out of the tree to files that go into the package, as `takes` says.
    pub(crate) fn links_out(&self, takes: impl Fn(&str) -> bool) -> Vec<Link> {
        let chosen: Vec<_> = self.files.iter().filter(|file| takes(&file.path)).collect();
        let files = chosen.iter().filter_map(|file| {
            Some(Link {
                path: file.path.clone(),
                target: file.outside.clone()?,
            })
        });
        let folders = self.folders.iter().filter(|link| {
            let is_below = |path: &str| {
                let rest = path.strip_prefix(&link.path);
                rest.is_some_and(|rest| rest.starts_with('/'))
            };
            chosen.iter().any(|file| is_below(&file.path))
        });
        let mut links: Vec<_> = files.chain(folders.cloned()).collect();
        links.sort();
        links
    }
}

/// A folder to be looked into.
struct Folder {
    /// Path below the root; empty for the root itself.
    path: String,
    place: PathBuf,
    /// Where the links lead that were followed on the way to it.
    followed: Vec<PathBuf>,
    /// A link on the way to it led out of the tree.
    is_outside: bool,
    /// It is the first such link itself: what it leads to.
    leads_out: Option<PathBuf>,
}

struct Walk<'a> {
    /// Without links.
    root: PathBuf,
    enter: &'a Enter<'a>,
    /// Most files and folders below links.
    limit: usize,
    /// Those so far.
    linked: usize,
    tree: Tree,
}

impl Walk<'_> {
    fn all(mut self, root: &Path) -> anyhow::Result<Tree> {
        let mut folders = vec![Folder {
            path: String::new(),
            place: root.to_owned(),
            followed: Vec::new(),
            is_outside: false,
            leads_out: None,
        }];
        while let Some(folder) = folders.pop() {
            let names = names_in(&folder.place)?;
            if !folder.path.is_empty() && !(self.enter)(&folder.path, &names) {
                continue;
            }
            if let Some(target) = folder.leads_out.clone() {
                let path = folder.path.clone();
                self.tree.folders.push(Link { path, target });
            }
            for name in names {
                folders.extend(self.entry(&folder, name)?);
            }
        }
        self.tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.tree)
    }

    /// Takes an entry of a folder; the folder that it is, if it is one to be looked into.
    fn entry(&mut self, folder: &Folder, name: String) -> anyhow::Result<Option<Folder>> {
        if !folder.followed.is_empty() {
            self.linked += 1;
        }
        if self.linked > self.limit {
            return Err(TooMany(self.limit).into());
        }
        let place = folder.place.join(&name);
        let path = if folder.path.is_empty() {
            name
        } else {
            format!("{}/{name}", folder.path)
        };
        let target = link_target(&place);
        let metadata = match fs::metadata(&place) {
            Ok(metadata) => metadata,
            // A link that leads nowhere, to itself or to where nobody may look is nothing that could be packed.
            Err(_) if target.is_some() => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", place.display()));
            }
        };
        let mut followed = folder.followed.clone();
        let mut is_outside = folder.is_outside;
        let mut leads_out = None;
        if let Some(target) = target {
            let real = canonical(&place)?;
            if !is_outside && !real.starts_with(&self.root) {
                is_outside = true;
                leads_out = Some(target);
            }
            if metadata.is_dir() && followed.contains(&real) {
                return Ok(None);
            }
            followed.push(real);
        }
        if metadata.is_file() {
            let executable = is_executable(&metadata);
            self.tree.files.push(TreeFile {
                path,
                place,
                executable,
                outside: leads_out,
            });
            return Ok(None);
        }
        Ok(metadata.is_dir().then_some(Folder {
            path,
            place,
            followed,
            is_outside,
            leads_out,
        }))
    }
}

/// A path without links.
pub(crate) fn canonical(path: &Path) -> anyhow::Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("cannot resolve {}", path.display()))
}

/// What a link leads to, as it says itself; `None` of anything else.
fn link_target(place: &Path) -> Option<PathBuf> {
    fs::read_link(place).ok()
}

/// Names in a folder, sorted; one that is not UTF-8 cannot stand in a package and is left out.
fn names_in(folder: &Path) -> anyhow::Result<Vec<String>> {
    let cannot = || format!("cannot list {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        if let Ok(name) = entry.with_context(cannot)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder `flow` with these files, and with these links, each a pair of a path in it and what it says.
    fn place(files: &[&str], links: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        for (link, target) in links {
            let path = folder.path().join("flow").join(link);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }
        folder
    }

    fn tree(folder: &tempfile::TempDir) -> Tree {
        walk(&folder.path().join("flow"), &|_, _| true).unwrap()
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.files.iter().map(|file| file.path.as_str()).collect()
    }

    fn links(tree: &Tree) -> Vec<String> {
        let links = tree.links_out(|path| path != "note.txt");
        let shown = links
            .iter()
            .map(|link| format!("{} -> {}", link.path, link.target.display()));
        shown.collect()
    }

    #[test]
    fn a_folder_is_there_under_every_name() {
        let files = ["flow/flow.py", "flow/own/o.py", "lib/l.py", "one.py"];
        let folder = place(
            &files,
            &[
                ("aa", "../lib"),
                ("bb", "../lib"),
                // Of the tree itself, and one link by way of another.
                ("cc", "own"),
                ("own/up", "../aa"),
                ("file.py", "../one.py"),
                ("same.py", "flow.py"),
                ("note.txt", "../one.py"),
                ("gone", "nowhere"),
                ("self", "self"),
            ],
        );
        let tree = tree(&folder);
        assert_eq!(
            paths(&tree),
            [
                "aa/l.py",
                "bb/l.py",
                "cc/o.py",
                "cc/up/l.py",
                "file.py",
                "flow.py",
                "note.txt",
                "own/o.py",
                "own/up/l.py",
                "same.py",
            ]
        );
        assert_eq!(
            links(&tree),
            [
                "aa -> ../lib",
                "bb -> ../lib",
                "cc/up -> ../aa",
                "file.py -> ../one.py",
                "own/up -> ../aa",
            ]
        );
    }

    #[test]
    fn every_loop_ends() {
        let files = ["flow/flow.py", "flow/a/a.py", "flow/b/b.py", "x.py"];
        let folder = place(
            &files,
            &[
                ("a/self", "."),
                ("a/other", "../b"),
                ("b/other", "../a"),
                ("up", ".."),
            ],
        );
        let tree = tree(&folder);
        let found = paths(&tree);
        for path in [
            "a/a.py",
            "a/self/a.py",
            "a/other/b.py",
            "a/other/other/a.py",
            "b/other/a.py",
            "up/x.py",
            "up/flow/flow.py",
        ] {
            assert!(found.contains(&path), "{path} of {found:?}");
        }
        assert!(!found.iter().any(|path| path.contains("self/self")));
        assert!(!found.iter().any(|path| path.contains("up/flow/up")));
        assert_eq!(links(&tree), ["up -> .."]);
    }

    #[test]
    fn links_cannot_multiply_a_tree_without_end() {
        let names: Vec<String> = (0..8).map(|number| format!("d{number}")).collect();
        let mut wanted = Vec::new();
        for from in &names {
            for to in names.iter().filter(|to| *to != from) {
                wanted.push((format!("{from}/{to}"), format!("../{to}")));
            }
        }
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(link, target)| (link.as_str(), target.as_str()))
            .collect();
        let folder = place(&["flow/flow.py"], &wanted);
        let root = folder.path().join("flow");
        let walk = Walk {
            root: canonical(&root).unwrap(),
            enter: &|_, _| true,
            limit: 500,
            linked: 0,
            tree: Tree {
                files: Vec::new(),
                folders: Vec::new(),
            },
        };
        let error = walk.all(&root).unwrap_err();
        assert!(error.is::<TooMany>(), "{error}");
    }
}
