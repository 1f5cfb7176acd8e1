//! Folders and files that somebody is working in, and how others see that.
//!
//! Whoever works holds a lock, which ends with the process whatever becomes of it. So what a killed process left is told
//! from what a slow one uses, however old it is: a task may go on for weeks, and a machine may sleep.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// In a folder, the file that is locked. NFS passes locks of files on to other machines, those of folders it does not.
const MARK: &str = ".held";

/// What nobody holds is swept once it is this old: its maker may be about to lock it.
const UNHELD_AGE: Duration = Duration::from_hours(48);

/// A temporary folder, held until it is dropped and removed.
#[derive(Debug)]
pub struct HeldFolder {
    // Dropped in this order: the folder goes while it is still held.
    folder: TempDir,
    _locks: [Option<File>; 2],
}

impl HeldFolder {
    /// Makes a folder below `root` whose name begins with `prefix`.
    pub fn make(root: &Path, prefix: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(root)?;
        let mark = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.path().join(MARK))?;
        // The lock of the folder itself is what systemd-tmpfiles(8) looks at, which clears `/tmp` by age.
        let locks = [Some(mark), File::open(folder.path()).ok()];
        for lock in locks.iter().flatten() {
            hold(lock);
        }
        Ok(Self {
            folder,
            _locks: locks,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Locks a file until it is closed. There are file systems without locks: there nothing is ever swept.
pub(crate) fn hold(file: &File) {
    let _ = file.try_lock();
}

/// Removes what killed processes left in a folder, long ago.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let age = metadata
            .modified()
            .ok()
            .and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if age.is_none_or(|age| age < UNHELD_AGE) {
            continue;
        }
        let path = entry.path();
        // Errors mean that it stays for the next sweep.
        let _ = if metadata.is_dir() {
            sweep_folder(&path)
        } else {
            sweep_file(&path)
        };
    }
}

fn sweep_folder(path: &Path) -> io::Result<()> {
    match take(path.join(MARK)) {
        Ok(_lock) => fs::remove_dir_all(path),
        // Made by a process that was killed before it could hold it, and then it is empty; or by an older flowc, of
        // which nobody knows whether it still uses it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_dir(path),
        Err(error) => Err(error),
    }
}

fn sweep_file(path: &Path) -> io::Result<()> {
    let _lock = take(path.to_owned())?;
    fs::remove_file(path)
}

/// Takes over a lock that nobody holds.
fn take(path: PathBuf) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.try_lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(path: &Path) {
        let long_ago = SystemTime::now() - UNHELD_AGE * 2;
        File::open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn only_what_nobody_holds_and_is_old_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let in_root = |name: &str| root.path().join(name);

        let used = HeldFolder::make(root.path(), "spool-").unwrap();
        fs::write(used.path().join("artifact.pickle"), "x").unwrap();
        age(used.path());
        let written = File::create(in_root("17-0-ab")).unwrap();
        hold(&written);
        age(&in_root("17-0-ab"));

        // A killed process drops its locks and leaves the rest.
        let HeldFolder { folder, .. } = HeldFolder::make(root.path(), "spool-").unwrap();
        let left = folder.keep();
        fs::write(left.join("artifact.pickle"), "x").unwrap();
        age(&left);
        File::create(in_root("18-0-ab")).unwrap();
        age(&in_root("18-0-ab"));

        File::create(in_root("young")).unwrap();
        fs::create_dir(in_root("empty")).unwrap();
        age(&in_root("empty"));
        fs::create_dir(in_root("of-an-older-flowc")).unwrap();
        File::create(in_root("of-an-older-flowc/x")).unwrap();
        age(&in_root("of-an-older-flowc"));

        sweep(root.path());
        for gone in [&left, &in_root("18-0-ab"), &in_root("empty")] {
            assert!(!gone.exists(), "{}", gone.display());
        }
        let artifact = used.path().join("artifact.pickle");
        for kept in ["17-0-ab", "young", "of-an-older-flowc/x"].map(in_root) {
            assert!(kept.exists(), "{}", kept.display());
        }
        assert!(artifact.exists());

        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
