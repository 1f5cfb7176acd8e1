//! Where a run's data goes, and how a run gets its name.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// Metaflow's name for the folder of its local store.
const FOLDER: &str = ".metaflow";

/// Metaflow's settings: variables `METAFLOW_*`, and under them its configuration file.
#[derive(Debug, Default)]
pub struct Settings {
    file: Option<Value>,
}

impl Settings {
    /// Reads `$METAFLOW_HOME/config[_$METAFLOW_PROFILE].json`, `~/.metaflowconfig` by default.
    /// A file that cannot be read holds nothing.
    pub fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let home = variable("METAFLOW_HOME").map(PathBuf::from).or_else(|| {
            let home = variable("HOME")?;
            Some(Path::new(&home).join(".metaflowconfig"))
        });
        let name = match variable("METAFLOW_PROFILE").filter(|profile| !profile.is_empty()) {
            Some(profile) => format!("config_{}.json", profile.to_string_lossy()),
            None => "config.json".to_owned(),
        };
        let text = home.and_then(|home| std::fs::read(home.join(name)).ok());
        Self {
            file: text.and_then(|text| serde_json::from_slice(&text).ok()),
        }
    }

    /// A setting by its name without `METAFLOW_`; the environment wins.
    pub fn get(&self, name: &str, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
        let name = format!("METAFLOW_{name}");
        if let Some(value) = variable(&name).and_then(|value| value.into_string().ok()) {
            return Some(value).filter(|value| !value.is_empty());
        }
        let value = self.file.as_ref()?.get(&name)?;
        Some(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    }
}

/// The root of Metaflow's local store: below `sysroot` (`METAFLOW_DATASTORE_SYSROOT_LOCAL`) if it is set,
/// else in the nearest folder from `cwd` upward that has one, else in `cwd`.
pub fn default_root(cwd: &Path, sysroot: Option<&str>) -> PathBuf {
    if let Some(sysroot) = sysroot {
        return cwd.join(sysroot).join(FOLDER);
    }
    let mut candidates = cwd.ancestors().map(|folder| folder.join(FOLDER));
    candidates
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| cwd.join(FOLDER))
}

/// Who runs the flow, as Metaflow finds it: never root.
pub fn username(
    settings: &Settings,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Option<String> {
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

/// The run that was started last, as `<Flow>/latest_run` has it.
pub fn latest_run(flow: &Path) -> Option<String> {
    let run = std::fs::read_to_string(flow.join("latest_run")).ok()?;
    Some(run.trim().to_owned()).filter(|run| !run.is_empty())
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
    fn settings_come_from_the_environment_and_then_from_the_file() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config_dev.json");
        fs::write(
            file,
            r#"{"METAFLOW_DEFAULT_DATASTORE": "s3", "METAFLOW_USER": "file"}"#,
        )
        .unwrap();
        let place: OsString = home.path().into();
        let variable = move |name: &str| match name {
            "METAFLOW_HOME" => Some(place.clone()),
            "METAFLOW_PROFILE" => Some("dev".into()),
            "METAFLOW_USER" => Some("ann".into()),
            _ => None,
        };
        let settings = Settings::read(&variable);
        let get = |name: &str| settings.get(name, &variable);
        assert_eq!(get("DEFAULT_DATASTORE").as_deref(), Some("s3"));
        assert_eq!(get("USER").as_deref(), Some("ann"));
        assert_eq!(get("SERVICE_URL"), None);
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
