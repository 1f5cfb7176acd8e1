//! Metaflow's local metadata tree: what its client reads to find runs, steps, tasks and artifacts.
//!
//! ```text
//! <root>/<Flow>/_meta/_self.json
//! <root>/<Flow>/<run>/_meta/_self.json
//! <root>/<Flow>/<run>/<step>/_meta/_self.json
//! <root>/<Flow>/<run>/<step>/<task>/_meta/_self.json  sysmeta_<field>_<ms>.json  <N>_artifact_<name>.json
//! ```
//!
//! The client may look at any moment, so a file is there whole or not at all. A task's folder appears by one rename when the task starts;
//! its artifacts are looked at only once `attempt-done` is there, which comes last.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use flowc_protocol::identity::IndexPath;
use flowc_protocol::manifest::Manifest;
use rustix::fs::{Mode, OFlags, renameat};
use rustix::io::Errno;
use serde::Serialize;
use serde_json::Value;

/// Folder of metadata inside a flow's, run's, step's or task's folder.
const FOLDER: &str = "_meta";

/// Who made a run, and where its data is.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// Name of the flow.
    pub flow: String,
    /// Run id.
    pub run: String,
    /// Who runs it, as Metaflow finds it.
    pub user: String,
    /// Tags of the user.
    pub tags: Vec<String>,
    /// `user:ann`, `runtime:flowc`, …
    pub system_tags: Vec<String>,
    /// What Metaflow calls the store: `local`, `s3`, …
    pub ds_type: String,
    /// Root of the store: an absolute path or a URL.
    pub ds_root: String,
    /// The run that is resumed.
    pub origin_run: Option<String>,
    /// Name of the flow file, for `script-name`.
    pub script: String,
}

/// The metadata tree of one run.
pub struct MetadataTree {
    facts: RunFacts,
    folder: PathBuf,
    steps: Mutex<HashSet<String>>,
}

/// `_self.json`.
#[derive(Serialize)]
struct Myself<'a> {
    flow_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_tags: Option<&'a [String]>,
    ts_epoch: u64,
}

/// `sysmeta_<field>_<ms>.json`.
#[derive(Serialize)]
struct Field<'a> {
    flow_id: &'a str,
    run_number: &'a str,
    step_name: &'a str,
    task_id: &'a str,
    #[serde(rename = "field_name")]
    name: &'a str,
    #[serde(rename = "type")]
    ty: &'a str,
    value: &'a str,
    tags: &'a [String],
    user_name: &'a str,
    ts_epoch: u64,
}

/// `<N>_artifact_<name>.json`.
#[derive(Serialize)]
struct Artifact<'a> {
    run_number: &'a str,
    step_name: &'a str,
    task_id: &'a str,
    attempt_id: u32,
    name: &'a str,
    content_type: &'a str,
    #[serde(rename = "type")]
    ty: &'static str,
    sha: &'a str,
    ds_type: &'a str,
    location: &'a str,
    flow_id: &'a str,
    user_name: &'a str,
    tags: &'a [String],
    system_tags: &'a [String],
    ts_epoch: u64,
}

/// One attempt of one task.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Step name.
    pub step: &'a str,
    /// Task id.
    pub task: &'a str,
    /// Number of the attempt.
    pub number: u32,
    /// [`foreach_path`] of the task.
    pub path: &'a str,
}

impl MetadataTree {
    /// Enters a run below `root`, a store's root as Metaflow lays it out; the run becomes visible at once.
    pub fn enter(root: &Path, facts: RunFacts) -> io::Result<Self> {
        let flow = root.join(&facts.flow);
        let folder = flow.join(&facts.run);
        let now = now_ms();
        let myself = Myself {
            flow_id: &facts.flow,
            run_number: None,
            step_name: None,
            task_id: None,
            user_name: None,
            tags: None,
            system_tags: None,
            ts_epoch: now,
        };
        publish_self(&flow, &myself)?;
        let myself = Myself {
            run_number: Some(&facts.run),
            user_name: Some(&facts.user),
            tags: Some(&facts.tags),
            system_tags: Some(&facts.system_tags),
            ..myself
        };
        publish_self(&folder, &myself)?;
        Ok(Self {
            facts,
            folder,
            steps: Mutex::default(),
        })
    }

    /// Records that an attempt starts: from now on the client sees the task.
    pub fn started(&self, attempt: Attempt<'_>) -> io::Result<()> {
        self.enter_step(attempt.step)?;
        let task = self.folder.join(attempt.step).join(attempt.task);
        let folder = task.join(FOLDER);
        let origin = self.facts.origin_run.as_deref().unwrap_or("None");
        let number = attempt.number.to_string();
        let mut fields = vec![
            ("attempt", "attempt", number.as_str()),
            ("origin-run-id", "origin-run-id", origin),
            ("ds-type", "ds-type", &self.facts.ds_type),
            ("ds-root", "ds-root", &self.facts.ds_root),
        ];
        if !attempt.path.is_empty() {
            fields.push((
                "foreach-execution-path",
                "foreach-execution-path",
                attempt.path,
            ));
        }
        if let Ok(folder) = open_folder(&folder) {
            // A later attempt: the folder is being looked at already.
            return self.write_fields(&folder, attempt, &fields, Folder::Seen);
        }
        fields.extend([
            ("script-name", "script-name", self.facts.script.as_str()),
            ("user", "user", &self.facts.user),
        ]);
        let new = task.join(format!("{FOLDER}.{}", std::process::id()));
        make_folder(&new)?;
        let opened = open_folder(&new)?;
        let myself = Myself {
            step_name: Some(attempt.step),
            task_id: Some(attempt.task),
            ..self.myself()
        };
        write_new(&opened, "_self.json", &myself)?;
        self.write_fields(&opened, attempt, &fields, Folder::Unseen)?;
        match std::fs::rename(&new, &folder) {
            // Another writer of the same task was first; what it wrote says the same.
            Err(_) if folder.is_dir() => std::fs::remove_dir_all(&new),
            result => result,
        }
    }

    /// Records what an ended attempt left: `record` is its `data.json`.
    pub fn ended(&self, attempt: Attempt<'_>, record: &Value, ok: bool) -> io::Result<()> {
        let path = self
            .folder
            .join(attempt.step)
            .join(attempt.task)
            .join(FOLDER);
        let folder = match open_folder(&path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It was adopted, so it never started here.
                self.started(attempt)?;
                open_folder(&path)?
            }
            Err(error) => return Err(error),
        };
        self.write_artifacts(&folder, attempt, record)?;
        let number = attempt.number.to_string();
        let ok = if ok { "True" } else { "False" };
        let fields = [
            ("attempt_ok", "internal_attempt_status", ok),
            ("attempt-done", "attempt-done", number.as_str()),
        ];
        self.write_fields(&folder, attempt, &fields, Folder::Seen)
    }

    /// Records the pseudo task that holds the run's parameters; `record` is its `data.json`.
    pub fn parameters(&self, manifest: &Manifest, record: &Value) -> io::Result<()> {
        let attempt = Attempt {
            step: flowc_protocol::identity::PARAMETERS_STEP,
            task: "t",
            number: 0,
            path: "",
        };
        self.ended(attempt, record, true)?;
        let path = self
            .folder
            .join(attempt.step)
            .join(attempt.task)
            .join(FOLDER);
        let fields = [
            ("start_step", "graph_structure", manifest.start.as_str()),
            ("end_step", "graph_structure", &manifest.end),
        ];
        self.write_fields(&open_folder(&path)?, attempt, &fields, Folder::Seen)
    }

    fn myself(&self) -> Myself<'_> {
        Myself {
            flow_id: &self.facts.flow,
            run_number: Some(&self.facts.run),
            step_name: None,
            task_id: None,
            user_name: Some(&self.facts.user),
            tags: Some(&self.facts.tags),
            system_tags: Some(&self.facts.system_tags),
            ts_epoch: now_ms(),
        }
    }

    fn enter_step(&self, step: &str) -> io::Result<()> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.contains(step) {
            return Ok(());
        }
        let myself = Myself {
            step_name: Some(step),
            ..self.myself()
        };
        publish_self(&self.folder.join(step), &myself)?;
        steps.insert(step.to_owned());
        Ok(())
    }

    fn write_fields(
        &self,
        folder: &OwnedFd,
        attempt: Attempt<'_>,
        fields: &[(&str, &str, &str)],
        state: Folder,
    ) -> io::Result<()> {
        let now = now_ms();
        let tags = [format!("attempt_id:{}", attempt.number)];
        for (name, ty, value) in fields {
            let field = Field {
                flow_id: &self.facts.flow,
                run_number: &self.facts.run,
                step_name: attempt.step,
                task_id: attempt.task,
                name,
                ty,
                value,
                tags: &tags,
                user_name: &self.facts.user,
                ts_epoch: now,
            };
            let file = format!("sysmeta_{name}_{now}.json");
            match state {
                Folder::Unseen => write_new(folder, &file, &field)?,
                Folder::Seen => replace(folder, &file, &field)?,
            }
        }
        Ok(())
    }

    fn write_artifacts(
        &self,
        folder: &OwnedFd,
        attempt: Attempt<'_>,
        record: &Value,
    ) -> io::Result<()> {
        let Some(objects) = record.get("objects").and_then(Value::as_object) else {
            return Ok(());
        };
        let location = format!(":root:{}", self.facts.ds_root);
        let now = now_ms();
        for (name, sha) in objects {
            let encoding = record.pointer(&format!("/info/{}/encoding", escaped(name)));
            let artifact = Artifact {
                run_number: &self.facts.run,
                step_name: attempt.step,
                task_id: attempt.task,
                attempt_id: attempt.number,
                name,
                content_type: encoding.and_then(Value::as_str).unwrap_or("gzip+pickle-v4"),
                ty: "metaflow.artifact",
                sha: sha.as_str().unwrap_or_default(),
                ds_type: &self.facts.ds_type,
                location: &location,
                flow_id: &self.facts.flow,
                user_name: &self.facts.user,
                tags: &self.facts.tags,
                system_tags: &self.facts.system_tags,
                ts_epoch: now,
            };
            let file = format!("{}_artifact_{name}.json", attempt.number);
            write_new(folder, &file, &artifact)?;
        }
        Ok(())
    }
}

/// Where a task is in the open foreaches, as Metaflow writes it: `<first step of the body>:<index>`, outermost first, joined by commas.
pub fn foreach_path(manifest: &Manifest, step: &str, index: &IndexPath) -> String {
    let Some(step) = manifest.steps.get(step) else {
        return String::new();
    };
    let mut path = String::new();
    for (split, index) in step.foreach.iter().zip(index.indices()) {
        let split = manifest.steps.get(split);
        let first = split.and_then(|split| split.next.first());
        if !path.is_empty() {
            path.push(',');
        }
        path.push_str(first.map_or("", String::as_str));
        path.push(':');
        path.push_str(&index.to_string());
    }
    path
}

/// Whether the client may be looking into a folder already.
#[derive(Clone, Copy)]
enum Folder {
    /// It gets its name later.
    Unseen,
    /// It has its name.
    Seen,
}

/// A name as a token of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

/// Milliseconds since the epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Writes `_meta/_self.json` of an object that has none yet.
fn publish_self(object: &Path, myself: &Myself<'_>) -> io::Result<()> {
    let folder = object.join(FOLDER);
    if folder.join("_self.json").exists() {
        return Ok(());
    }
    make_folder(&folder)?;
    replace(&open_folder(&folder)?, "_self.json", myself)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir_all(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

/// Writes a file that nobody looks at yet, over one of the same name.
fn write_new(folder: impl AsFd, name: &str, object: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(object)?;
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o666))?;
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        match rustix::io::write(&file, left) {
            Ok(written) => left = &left[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes a file that somebody may be looking for.
fn replace(folder: &OwnedFd, name: &str, object: &impl Serialize) -> io::Result<()> {
    let temporary = format!(".{name}.{}", std::process::id());
    write_new(folder, &temporary, object)?;
    renameat(folder, temporary.as_str(), folder, name)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(root: &Path) -> RunFacts {
        RunFacts {
            flow: "F".to_owned(),
            run: "17".to_owned(),
            user: "ann".to_owned(),
            tags: vec!["nightly".to_owned()],
            system_tags: vec!["user:ann".to_owned()],
            ds_type: "local".to_owned(),
            ds_root: root.display().to_string(),
            origin_run: None,
            script: "f.py".to_owned(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Names without the time that they end with.
    fn fields(folder: &Path) -> Vec<String> {
        let names = names(folder).into_iter();
        let mut fields: Vec<_> = names
            .filter_map(|name| {
                Some(
                    name.strip_prefix("sysmeta_")?
                        .rsplit_once('_')?
                        .0
                        .to_owned(),
                )
            })
            .collect();
        fields.dedup();
        fields
    }

    const ATTEMPT: Attempt<'_> = Attempt {
        step: "train",
        task: "t-3",
        number: 0,
        path: "train:3",
    };

    #[test]
    fn a_run_is_visible_at_once_and_a_task_when_it_starts() {
        let root = tempfile::tempdir().unwrap();
        let tree = MetadataTree::enter(root.path(), facts(root.path())).unwrap();
        assert_eq!(
            read(&root.path().join("F/17/_meta/_self.json"))["tags"],
            json!(["nightly"])
        );
        tree.started(ATTEMPT).unwrap();
        let folder = root.path().join("F/17/train/t-3/_meta");
        assert_eq!(read(&folder.join("_self.json"))["task_id"], "t-3");
        assert_eq!(
            fields(&folder),
            [
                "attempt",
                "ds-root",
                "ds-type",
                "foreach-execution-path",
                "origin-run-id",
                "script-name",
                "user"
            ]
        );
        assert_eq!(names(folder.parent().unwrap()), ["_meta"]);
    }

    #[test]
    fn artifacts_of_an_attempt_come_before_its_end() {
        let root = tempfile::tempdir().unwrap();
        let tree = MetadataTree::enter(root.path(), facts(root.path())).unwrap();
        let record = json!({
            "objects": {"y": "ab12", "odd~name": "cd34"},
            "info": {"y": {"encoding": "pickle-v4"}, "odd~name": {"encoding": "gzip+pickle-v4"}},
        });
        tree.started(ATTEMPT).unwrap();
        tree.ended(ATTEMPT, &record, false).unwrap();
        let second = Attempt {
            number: 1,
            ..ATTEMPT
        };
        tree.started(second).unwrap();
        tree.ended(second, &record, true).unwrap();
        let folder = root.path().join("F/17/train/t-3/_meta");
        let artifact = read(&folder.join("1_artifact_y.json"));
        assert_eq!(artifact["sha"], "ab12");
        assert_eq!(artifact["content_type"], "pickle-v4");
        assert_eq!(
            artifact["location"],
            format!(":root:{}", root.path().display())
        );
        assert!(fields(&folder).contains(&"attempt-done".to_owned()));
        assert!(names(&folder).iter().all(|name| !name.starts_with('.')));
    }

    #[test]
    fn an_adopted_task_is_entered_by_its_end() {
        let root = tempfile::tempdir().unwrap();
        let tree = MetadataTree::enter(root.path(), facts(root.path())).unwrap();
        tree.ended(ATTEMPT, &json!({"objects": {}}), true).unwrap();
        assert!(root.path().join("F/17/train/t-3/_meta/_self.json").exists());
        assert!(root.path().join("F/17/train/_meta/_self.json").exists());
    }
}
