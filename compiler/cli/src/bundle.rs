//! Bundles on disk: written file by file without a moment in which one is half there, or compared with what is there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context;
use flowc_target::BundleFile;
use flowc_target::package::BUNDLE_MARKER;
use similar::TextDiff;

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

/// Writes a bundle and removes what an earlier bundle had in this folder and this one has not.
///
/// The marker file lists the bundle's files, so that nothing else in the folder is ever touched.
pub(crate) fn write(folder: &Path, files: &[BundleFile]) -> anyhow::Result<Written> {
    let stale = stale_files(folder, files)?;
    let marker = BundleFile {
        path: BUNDLE_MARKER.to_owned(),
        text: listing(files),
    };
    let mut written = Written::Unchanged;
    for file in files.iter().chain([&marker]) {
        let path = folder.join(&file.path);
        if fs::read(&path).is_ok_and(|present| present == file.text.as_bytes()) {
            continue;
        }
        put(&path, file.text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        written = Written::Changed;
    }
    for name in stale {
        let path = folder.join(&name);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        written = Written::Changed;
    }
    Ok(written)
}

/// What writing the bundle would change, as a unified diff; empty if nothing.
pub(crate) fn diff(folder: &Path, files: &[BundleFile]) -> anyhow::Result<String> {
    let mut text = String::new();
    for file in files {
        let path = folder.join(&file.path);
        let present = match fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        write_diff(&mut text, &path, present.as_deref(), Some(&file.text));
    }
    for name in stale_files(folder, files)? {
        let path = folder.join(&name);
        let present =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        write_diff(&mut text, &path, Some(&present), None);
    }
    Ok(text)
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

fn write_diff(text: &mut String, path: &Path, old: Option<&str>, new: Option<&str>) {
    if old == new {
        return;
    }
    // Below `there` and `compiled` an absolute path is named like any other.
    let relative = path.strip_prefix("/").unwrap_or(path);
    let side = |side: &str, present: bool| {
        if present {
            Path::new(side).join(relative).display().to_string()
        } else {
            "/dev/null".to_owned()
        }
    };
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let mut unified = diff.unified_diff();
    let unified = unified.context_radius(3).header(
        &side("there", old.is_some()),
        &side("compiled", new.is_some()),
    );
    // Writing to a string cannot fail.
    let _ = write!(text, "{unified}");
}

fn listing(files: &[BundleFile]) -> String {
    files.iter().fold(String::new(), |mut text, file| {
        text.push_str(&file.path);
        text.push('\n');
        text
    })
}

/// Files that the marker of an earlier bundle lists, that are still there and that the new bundle has not.
fn stale_files(folder: &Path, files: &[BundleFile]) -> anyhow::Result<Vec<String>> {
    let path = folder.join(BUNDLE_MARKER);
    let marker = match fs::read_to_string(&path) {
        Ok(marker) => marker,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let new: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let stale = marker
        .lines()
        .filter(|name| !new.contains(name) && is_plain_name(name) && folder.join(name).is_file());
    Ok(stale.map(str::to_owned).collect())
}

/// The marker is a file that anybody can edit: only names below the folder are believed.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path)?;
    Ok(())
}
