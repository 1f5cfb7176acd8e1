//! Bundles on disk: whose a folder is, what in it is ours, and writing it.
//!
//! The marker file says which flow and target a folder belongs to and lists the files of its bundle. Nothing else in the
//! folder is ever touched, and neither is the folder of another flow or target.
//!
//! A bundle is written beside the present one and then put in its place file by file, the marker first: whenever that is cut
//! short, the marker lists whatever is ours, and the next time completes it.

mod difference;
mod marker;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flowc_core::diag::{Code, Diagnostic, Severity};
use flowc_core::ir::plan::Plan;
use flowc_protocol::flow_ir;
use flowc_target::BundleFile;
use flowc_target::package::BUNDLE_MARKER;
use serde_json::Value;

use marker::Marker;

/// Folder in which the files of a bundle are written before they are put into place; hidden, so that nothing takes them for a bundle's.
const STAGING: &str = ".flowc-bundle.new";

/// A bundle and the folder for it.
pub(crate) struct Bundle {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Its files.
    pub(crate) files: Vec<BundleFile>,
    /// Target and flow, as the marker says them.
    owner: String,
}

/// What writing a bundle did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Files were created, changed or removed.
    Changed,
    /// Every file was there with these bytes.
    Unchanged,
}

impl Written {
    /// For the status line.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Written::Changed => "Wrote",
            Written::Unchanged => "Unchanged",
        }
    }
}

/// A flow's name with the project and branch that it is deployed on: each is a deployment of its own.
pub(crate) fn full_name(plan: &Plan) -> String {
    match &plan.project {
        Some(project) => project.flow_name(&plan.flow),
        None => plan.flow.clone(),
    }
}

impl Bundle {
    /// The bundle of a flow for a target.
    pub(crate) fn new(plan: &Plan, target: &str, folder: PathBuf, files: Vec<BundleFile>) -> Self {
        Self {
            folder,
            files,
            owner: format!("{target} {}", full_name(plan)),
        }
    }

    /// Why the bundle cannot be in its folder, if it cannot: the folder is somebody else's, or a file of somebody else's
    /// is in the way.
    pub(crate) fn obstacle(&self) -> anyhow::Result<Option<Diagnostic>> {
        Ok(self.look()?.err())
    }

    /// Names that the marker lists, once it is sure that the folder may hold this bundle.
    fn look(&self) -> anyhow::Result<Result<BTreeSet<String>, Diagnostic>> {
        let folder = &self.folder;
        if fs::metadata(folder).is_ok_and(|found| !found.is_dir()) {
            return Ok(Err(in_the_way(folder, "it is no folder")));
        }
        let path = folder.join(BUNDLE_MARKER);
        let marker = match kind(&path)? {
            Kind::Nothing => Marker::default(),
            Kind::File => Marker::parse(&read_text(&path)?),
            Kind::Other(what) => return Ok(Err(in_the_way(&path, what))),
        };
        if let Some(owner) = marker.owner.clone().or_else(|| self.old_owner(&marker))
            && owner != self.owner
        {
            return Ok(Err(self.foreign(&owner)));
        }
        for file in &self.files {
            let path = folder.join(&file.path);
            let why = match kind(&path)? {
                Kind::Nothing => continue,
                Kind::File if marker.names.contains(&file.path) => continue,
                Kind::File if same(&path, &file.text)? => continue,
                Kind::File => "flowc did not write it",
                Kind::Other(what) => what,
            };
            return Ok(Err(in_the_way(&path, why)));
        }
        Ok(Ok(marker.names))
    }

    /// Whose a bundle is whose marker does not say it, as markers once did not: `flow.ir.json` names the flow, and targets
    /// have no other file in common.
    fn old_owner(&self, marker: &Marker) -> Option<String> {
        let left = |name: &&String| self.folder.join(name.as_str()).exists();
        let mut left = marker.names.iter().filter(left).peekable();
        left.peek()?;
        let is_ours = |name: &String| {
            name != flow_ir::FILE_NAME && self.files.iter().any(|file| file.path == *name)
        };
        let view = fs::read(self.folder.join(flow_ir::FILE_NAME)).unwrap_or_default();
        let view: Value = serde_json::from_slice(&view).unwrap_or_default();
        let flow = view["flow"].as_str().unwrap_or("a flow that is not told");
        let (target, name) = self.owner.split_once(' ')?;
        let is_flow = name.rsplit('.').next() == Some(flow);
        Some(if is_flow && left.any(is_ours) {
            self.owner.clone()
        } else if is_flow {
            format!("another target or branch than {target} {flow}")
        } else {
            flow.to_owned()
        })
    }

    fn foreign(&self, owner: &str) -> Diagnostic {
        let shown = self.folder.display();
        let message = format!("{shown} holds the bundle of another flow, target or branch");
        Diagnostic::new(Code::FC0314, Severity::Error, message)
            .note(format!(
                "it belongs to `{owner}`, and this is `{}`",
                self.owner
            ))
            .help("name another folder with `-o`, or delete this one if nobody needs it")
    }

    /// Writes the bundle and removes what an earlier one of the same owner had in this folder and this one has not.
    ///
    /// An obstacle that has come since it was looked for is an error.
    pub(crate) fn write(&self) -> anyhow::Result<Written> {
        let folder = &self.folder;
        let cannot = || format!("cannot write {}", folder.display());
        fs::create_dir_all(folder).with_context(cannot)?;
        // Somebody else who writes it at the same time is waited for; a file system without locks is used without.
        let lock = File::open(folder).with_context(cannot)?;
        let _ = lock.lock();
        let listed = match self.look()? {
            Ok(listed) => listed,
            Err(obstacle) => anyhow::bail!("{}", obstacle.message),
        };
        let new: BTreeSet<String> = self.files.iter().map(|file| file.path.clone()).collect();
        let is_stale = |name: &&String| {
            !new.contains(*name) && matches!(kind(&folder.join(name.as_str())), Ok(Kind::File))
        };
        let stale: Vec<_> = listed.iter().filter(is_stale).collect();
        let changed: Vec<_> = self
            .files
            .iter()
            .filter(|file| !same(&folder.join(&file.path), &file.text).unwrap_or(false))
            .collect();
        let marker = marker::text(
            &self.owner,
            self.files.iter().map(|file| file.path.as_str()),
        );
        let is_marked = same(&folder.join(BUNDLE_MARKER), &marker).unwrap_or(false);
        if changed.is_empty() && stale.is_empty() && is_marked {
            return Ok(Written::Unchanged);
        }
        let staging = folder.join(STAGING);
        // What an interrupted call has left.
        remove_folder(&staging).with_context(cannot)?;
        let done = self.replace(&staging, &changed, &stale, &listed, &marker);
        let removed = remove_folder(&staging).with_context(cannot);
        done?;
        removed?;
        Ok(Written::Changed)
    }

    fn replace(
        &self,
        staging: &Path,
        changed: &[&BundleFile],
        stale: &[&String],
        listed: &BTreeSet<String>,
        marker: &str,
    ) -> anyhow::Result<()> {
        let folder = &self.folder;
        fs::create_dir(staging).with_context(|| format!("cannot write {}", staging.display()))?;
        let prepare = |name: String, text: &str| -> anyhow::Result<PathBuf> {
            let path = staging.join(name);
            put(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        let place = |from: &Path, name: &str| -> anyhow::Result<()> {
            let to = folder.join(name);
            let parent = to.parent().unwrap_or(folder);
            fs::create_dir_all(parent)
                .and_then(|()| fs::rename(from, &to))
                .with_context(|| format!("cannot write {}", to.display()))
        };
        let ours = self.files.iter().map(|file| file.path.as_str());
        let all: BTreeSet<&str> = ours.chain(listed.iter().map(String::as_str)).collect();
        let between = prepare(
            "between".to_owned(),
            &marker::text(&self.owner, all.into_iter()),
        )?;
        let last = prepare("marker".to_owned(), marker)?;
        let mut staged = Vec::new();
        for (number, file) in changed.iter().enumerate() {
            staged.push((prepare(number.to_string(), &file.text)?, &file.path));
        }
        place(&between, BUNDLE_MARKER)?;
        for (from, name) in staged {
            place(&from, name)?;
        }
        for name in stale {
            let path = folder.join(name.as_str());
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        place(&last, BUNDLE_MARKER)
    }
}

/// Number and size of the files, for the status line.
pub(crate) fn summary(files: &[BundleFile]) -> String {
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    let plural = if files.len() == 1 { "" } else { "s" };
    format!(
        "{} file{plural}, {:.1} kB",
        files.len(),
        bytes as f64 / 1000.0
    )
}

/// What is at a path.
enum Kind {
    /// Nothing.
    Nothing,
    /// A file.
    File,
    /// Something that a bundle never has.
    Other(&'static str),
}

fn kind(path: &Path) -> anyhow::Result<Kind> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Kind::File),
        Ok(found) if found.is_symlink() => Ok(Kind::Other("it is a link")),
        Ok(found) if found.is_dir() => Ok(Kind::Other("it is a folder")),
        Ok(_) => Ok(Kind::Other("it is no plain file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kind::Nothing),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn in_the_way(path: &Path, why: &str) -> Diagnostic {
    let message = format!("{} is in the way of the bundle: {why}", path.display());
    Diagnostic::new(Code::FC0315, Severity::Error, message)
        .help("name another folder with `-o`, or move it away")
}

fn same(path: &Path, text: &str) -> anyhow::Result<bool> {
    let present = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(present == text.as_bytes())
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that others may read, as those of a bundle are for.
fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}
