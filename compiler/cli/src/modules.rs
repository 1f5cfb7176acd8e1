//! Modules that the flow imports here and that its code package lacks.
//!
//! Python finds modules below the flow's folder, in the folders of `PYTHONPATH`, in its own library and among what is
//! installed. The container has the package, and what its image has: what is found here in other ways is looked for, so that
//! it is said before the first task fails. Nothing of it reaches a bundle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::env;
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::front::python::{self, Import};
use flowc_core::source::{FileId, SourceTree};
use flowc_target::Profile;
use flowc_target::package::PackageFile;

use crate::tree::canonical;

/// The variable with which users and profiles name folders of modules.
const PYTHON_PATH: &str = "PYTHONPATH";

/// Modules that flowc itself brings into the container.
const OURS: [&str; 2] = ["flowc", "metaflow"];

/// Files that mark a folder as the top of a project.
const PROJECT: [&str; 4] = [".git", "flowc.toml", "pyproject.toml", "setup.py"];

/// Ending of modules that are not compiled.
const SOURCE: &str = ".py";

/// Endings of modules that are compiled.
const COMPILED: [&str; 2] = [".so", ".pyd"];

/// Where a flow is, and where its modules may be found here.
pub(crate) struct Search {
    /// The flow's folder, as typed.
    shown: PathBuf,
    /// The flow's folder without links.
    root: PathBuf,
    cwd: PathBuf,
    /// Folders of `PYTHONPATH` that are no installed packages.
    named: Vec<PathBuf>,
    /// Folders around the flow's, up to the top of its project: code that changes `sys.path` reaches them.
    around: Vec<PathBuf>,
    /// Folders of the package in which Python looks in the container: the root, and what the profile's `PYTHONPATH` names.
    roots: Vec<String>,
}

/// Where a module is that the package lacks.
enum Place {
    /// In the flow's folder, at this path below it.
    Inside(String),
    /// Elsewhere.
    Outside(PathBuf),
}

impl Search {
    /// Looks around a flow's folder.
    pub(crate) fn find(root: &Path, profile: &Profile) -> anyhow::Result<Self> {
        let cwd = env::current_dir().context("cannot tell the current folder")?;
        let shown = root.to_owned();
        let root = canonical(root)?;
        let listed = env::var_os(PYTHON_PATH).unwrap_or_default();
        let named = env::split_paths(&listed)
            .filter(|_| !listed.is_empty())
            .filter_map(|folder| canonical(&cwd.join(folder)).ok())
            .filter(|folder| *folder != root && !is_installed(folder));
        let profiles = profile.env.get(PYTHON_PATH);
        let profiles = profiles.map_or("", |setting| setting.value.as_str());
        let roots = profiles.split(':').filter_map(below_root);
        Ok(Self {
            named: named.collect(),
            around: around(&root, &cwd),
            roots: std::iter::once(String::new()).chain(roots).collect(),
            shown,
            root,
            cwd,
        })
    }

    /// What the flow's file and the modules of the package that it leads to import, and the package lacks: a warning each.
    pub(crate) fn lacking(
        &self,
        tree: &mut SourceTree,
        files: &[PackageFile],
        flow: &str,
    ) -> Diagnostics {
        let packed = Packed {
            files: files
                .iter()
                .map(|file| (file.path.as_str(), file))
                .collect(),
            roots: &self.roots,
        };
        let mut found = Diagnostics::default();
        let mut said = BTreeSet::new();
        let mut queue = VecDeque::from([flow.to_owned()]);
        let mut read = BTreeSet::from([flow.to_owned()]);
        while let Some(path) = queue.pop_front() {
            let Some(text) = packed.text(&path) else {
                continue;
            };
            let mut own = SourceTree::default();
            let file = own.add(path.as_str(), text);
            for import in python::imports(&own, file) {
                if OURS.contains(&top(&import.module)) {
                    continue;
                }
                for module in spelled_out(&import) {
                    let sources = packed.sources(&module);
                    if sources.is_empty()
                        && !said.contains(&module)
                        && let Some(place) = self.place(&module)
                    {
                        let file = file_of(tree, &path, text);
                        found.push(self.finding(&module, &place, &import, file));
                        said.insert(module);
                        break;
                    }
                    let new = sources.into_iter().filter(|path| read.insert(path.clone()));
                    queue.extend(new);
                }
            }
        }
        found
    }

    /// Where a module is found here that is not in the package.
    fn place(&self, module: &str) -> Option<Place> {
        let path = module.replace('.', "/");
        for root in &self.roots {
            let path = joined(root, &path);
            if let Some(file) = module_at(&self.root.join(&path), Kind::Any) {
                let name = file.file_name()?.to_string_lossy().into_owned();
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                return Some(Place::Inside(joined(folder, &name)));
            }
        }
        if module.contains('.') {
            return None;
        }
        let named = self.named.iter();
        let mut named = named.filter_map(|folder| module_at(&folder.join(module), Kind::Any));
        if let Some(found) = named.next() {
            return Some(Place::Outside(found));
        }
        if python::is_in_standard_library(module) {
            return None;
        }
        let around = self.around.iter();
        let mut around = around.filter_map(|folder| module_at(&folder.join(module), Kind::Regular));
        around.next().map(Place::Outside)
    }

    fn finding(&self, module: &str, place: &Place, import: &Import, file: FileId) -> Diagnostic {
        let message = format!("`{module}` is not in the code package");
        let mut span = import.span;
        span.file = file;
        let warning = |label: String| Diagnostic::warning(Code::FC0311, &message, span, label);
        let place = match place {
            Place::Outside(place) => place,
            Place::Inside(path) => {
                let finding = warning(format!("here it is `{path}` in the flow's folder"));
                let is_compiled = COMPILED.iter().any(|ending| path.ends_with(ending));
                return finding.help(if is_compiled {
                    format!("name it in flowc.toml: `[package] include = [\"{path}\"]`")
                } else {
                    "the rules of `.flowcignore`, or its folder's name, keep it out; `flowc package` lists what is in".to_owned()
                });
            }
        };
        let label = format!(
            "here it is {}, outside of the flow's folder",
            self.display(place)
        );
        if let Ok(inside) = place.strip_prefix(&self.root) {
            let folder = inside.parent().unwrap_or(inside).display();
            let label = format!("here `{PYTHON_PATH}` leads to {}", inside.display());
            return warning(label).help(format!(
                "say where it is in the container too, in the profile: `env = {{ {PYTHON_PATH} = \"{folder}\" }}`"
            ));
        }
        let name = place.file_name().unwrap_or_default();
        warning(label)
            .note("a container has it only if its image has")
            .help(format!(
                "link it into the flow's folder, `ln -s {} {}`, or install it in the image",
                relative(&self.root, place).display(),
                self.shown.join(name).display()
            ))
    }

    /// As people would name it from where they are.
    fn display<'p>(&self, place: &'p Path) -> std::path::Display<'p> {
        let cwd = canonical(&self.cwd).unwrap_or_default();
        place.strip_prefix(cwd).unwrap_or(place).display()
    }
}

/// The files of a package, as Python sees them.
struct Packed<'a> {
    files: BTreeMap<&'a str, &'a PackageFile>,
    roots: &'a [String],
}

impl Packed<'_> {
    fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.get(path).filter(|_| path.ends_with(SOURCE))?;
        std::str::from_utf8(&file.bytes).ok()
    }

    /// The files that a module is made of; empty if the package does not have it.
    fn sources(&self, module: &str) -> Vec<String> {
        let path = module.replace('.', "/");
        let mut found = Vec::new();
        for root in self.roots {
            let path = joined(root, &path);
            for file in [format!("{path}/__init__.py"), format!("{path}.py")] {
                if self.files.contains_key(file.as_str()) {
                    found.push(file);
                }
            }
            // A folder without `__init__.py` is a package too, and a compiled module has an ending that tells for which Python.
            let starts = |start: &str| {
                let after = (Bound::Included(start), Bound::Unbounded);
                let after = self.files.range::<str, _>(after);
                let next = after.map(|(path, _)| *path).next();
                next.filter(|path| path.starts_with(start))
                    .map(str::to_owned)
            };
            found.extend(starts(&format!("{path}/")));
            let compiled = starts(&format!("{path}."));
            found.extend(compiled.filter(|path| is_compiled(path)));
        }
        found
    }
}

/// What counts as a module.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All that Python imports.
    Any,
    /// A file, or a folder with `__init__.py`; many a folder that is no package has the name of one.
    Regular,
}

/// The file or folder that is the module of that path without its ending.
fn module_at(path: &Path, kind: Kind) -> Option<PathBuf> {
    if path.join("__init__.py").is_file() {
        return Some(path.to_owned());
    }
    let mut source = path.as_os_str().to_owned();
    source.push(".py");
    let source = PathBuf::from(source);
    if source.is_file() {
        return Some(source);
    }
    if kind == Kind::Regular {
        return None;
    }
    let entries = |folder: &Path| {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let start = format!("{}.", path.file_name()?.to_string_lossy());
    let folder = path.parent()?;
    let compiled = entries(folder).find(|name| name.starts_with(&start) && is_compiled(name));
    if let Some(name) = compiled {
        return Some(folder.join(name));
    }
    let has_modules = entries(path).any(|name| name.ends_with(SOURCE));
    has_modules.then(|| path.to_owned())
}

/// The modules that an import names, outermost first: of `from a.b import c` these are `a`, `a.b` and `a.b.c`.
fn spelled_out(import: &Import) -> Vec<String> {
    let module = import.module.as_str();
    let dots = module.match_indices('.').map(|(at, _)| at);
    let ends = dots.chain(std::iter::once(module.len()));
    let modules = ends.map(|end| module[..end].to_owned());
    let inner = import.names.iter().map(|name| format!("{module}.{name}"));
    modules.chain(inner).collect()
}

fn top(module: &str) -> &str {
    module.split('.').next().unwrap_or_default()
}

fn is_compiled(path: &str) -> bool {
    COMPILED.iter().any(|ending| path.ends_with(ending))
}

fn is_installed(folder: &Path) -> bool {
    let mut parts = folder.components().map(Component::as_os_str);
    parts.any(|part| part == "site-packages" || part == "dist-packages")
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// A folder of the package that a relative entry of `PYTHONPATH` names: steps run in the package's root.
fn below_root(entry: &str) -> Option<String> {
    let parts = entry.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<_> = parts.collect();
    let is_inside = !entry.starts_with('/') && !parts.is_empty() && !parts.contains(&"..");
    is_inside.then(|| parts.join("/"))
}

/// The folders around a flow's, up to the outermost that is the top of a project or where the user is.
fn around(root: &Path, cwd: &Path) -> Vec<PathBuf> {
    let cwd = canonical(cwd).unwrap_or_default();
    let folders: Vec<_> = root.ancestors().skip(1).map(Path::to_owned).collect();
    let is_top =
        |folder: &PathBuf| *folder == cwd || PROJECT.iter().any(|name| folder.join(name).exists());
    let count = folders.iter().rposition(is_top).map_or(0, |at| at + 1);
    folders.into_iter().take(count).collect()
}

/// How a path is named from a folder; both absolute and without links.
fn relative(folder: &Path, path: &Path) -> PathBuf {
    let shared = folder
        .components()
        .zip(path.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

/// The file in the tree, which it joins if it is not there yet.
fn file_of(tree: &mut SourceTree, path: &str, text: &str) -> FileId {
    let known = tree.files().find(|(_, file)| file.path == path);
    let known = known.map(|(id, _)| id);
    known.unwrap_or_else(|| tree.add(path, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_named_from_a_folder() {
        let from = |folder: &str, path: &str| {
            let found = relative(Path::new(folder), Path::new(path));
            found.to_string_lossy().into_owned()
        };
        assert_eq!(from("/a/flows", "/a/common"), "../common");
        assert_eq!(from("/a/flows/deep", "/b/x.py"), "../../../b/x.py");
        assert_eq!(below_root("./lib//x/").as_deref(), Some("lib/x"));
        for outside in ["", ".", "/lib", "../lib", "a/../../b"] {
            assert_eq!(below_root(outside), None, "{outside}");
        }
    }
}
