//! Where a run's data goes, and how a run gets its name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::settings::{Settings, Variables};

/// Metaflow's name for the folder of its local store.
const FOLDER: &str = ".metaflow";

/// The root of Metaflow's local store: below `sysroot` (`METAFLOW_DATASTORE_SYSROOT_LOCAL`) if it is set,
/// else in the nearest folder from `cwd` upward that has one, else in `cwd`.
pub fn default_root(cwd: &Path, sysroot: Option<&str>) -> PathBuf {
    if let Some(sysroot) = sysroot {
        return cwd.join(sysroot).join(FOLDER);
    }
    nearest(cwd).unwrap_or_else(|| cwd.join(FOLDER))
}

/// The folder of a local store in the nearest folder from `cwd` upward that has one.
pub(crate) fn nearest(cwd: &Path) -> Option<PathBuf> {
    let mut candidates = cwd.ancestors().map(|folder| folder.join(FOLDER));
    candidates.find(|folder| folder.is_dir())
}

/// Who runs the flow, as Metaflow finds it: never root.
pub fn username(settings: &Settings, variable: Variables<'_>) -> Option<String> {
    let others = ["SUDO_USER", "USERNAME", "USER"];
    let others = others.iter().map(|name| variable(name)?.into_string().ok());
    std::iter::once(settings.get("USER", variable))
        .chain(others)
        .flatten()
        .find(|user| !user.is_empty() && user != "root")
}

/// Makes the folder of a new run below `flow` and returns the run's id: microseconds since the epoch, as Metaflow's are.
///
/// The folder is made create-only; if another run has it, the next microsecond is tried.
pub fn new_run(flow: &Path) -> io::Result<String> {
    std::fs::create_dir_all(flow)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut id = now.map_or(0, |now| now.as_micros());
    loop {
        match std::fs::create_dir(flow.join(id.to_string())) {
            Ok(()) => return Ok(id.to_string()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => id += 1,
            Err(error) => return Err(error),
        }
    }
}

/// The run that was started last, as `<Flow>/latest_run` has it; `None` if there is no such file.
pub fn latest_run(flow: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(flow.join("latest_run")) {
        Ok(run) => Ok(Some(run.trim().to_owned()).filter(|run| !run.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Marks a run as going on, for as long as the file is open and this process lives.
///
/// Best effort: there are file systems without locks.
pub fn hold(run: &Path) -> Option<File> {
    let folder = File::open(run).ok()?;
    folder.try_lock().ok()?;
    Some(folder)
}

/// Whether a run of this machine goes on, see [`hold`].
pub fn is_held(run: &Path) -> bool {
    let Ok(folder) = File::open(run) else {
        return false;
    };
    matches!(folder.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Writes `<Flow>/latest_run`, which Metaflow's `resume` and `logs` start from.
pub fn note_latest(flow: &Path, run: &str) -> io::Result<()> {
    let temporary = flow.join(format!(".latest_run.{run}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(run.as_bytes())?;
    std::fs::rename(temporary, flow.join("latest_run"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::*;

    fn world(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<OsString> {
        move |name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        }
    }

    #[test]
    fn the_store_is_where_metaflow_would_put_it() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(default_root(&deep, None), deep.join(".metaflow"));
        fs::create_dir(root.path().join("a/.metaflow")).unwrap();
        assert_eq!(default_root(&deep, None), root.path().join("a/.metaflow"));
        assert_eq!(
            default_root(&deep, Some("/data")),
            Path::new("/data/.metaflow")
        );
    }

    #[test]
    fn the_user_is_never_root() {
        let none = Settings::default();
        let name = |pairs| username(&none, &world(pairs));
        assert_eq!(
            name(&[("USER", "root"), ("USERNAME", "ann")]).as_deref(),
            Some("ann")
        );
        assert_eq!(
            name(&[("METAFLOW_USER", "bob"), ("SUDO_USER", "ann")]).as_deref(),
            Some("bob")
        );
        assert_eq!(name(&[("USER", "root")]), None);
    }

    #[test]
    fn a_run_is_held_while_its_runner_lives() {
        let run = tempfile::tempdir().unwrap();
        assert!(!is_held(run.path()));
        let mark = hold(run.path());
        assert!(is_held(run.path()));
        drop(mark);
        assert!(!is_held(run.path()));
        assert!(!is_held(&run.path().join("nowhere")));
    }

    #[test]
    fn two_runs_never_share_a_name() {
        let flow = tempfile::tempdir().unwrap();
        let ids: std::collections::BTreeSet<_> =
            (0..50).map(|_| new_run(flow.path()).unwrap()).collect();
        assert_eq!(ids.len(), 50);
    }
}
