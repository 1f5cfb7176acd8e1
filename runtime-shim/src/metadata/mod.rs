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

mod facts;
mod folder;
mod objects;

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use flowc_protocol::identity::IndexPath;
use flowc_protocol::manifest::Manifest;
use serde_json::Value;

pub use facts::{Attempt, Node, RunFacts};
use folder::{make_folder, open_folder, publish_self, replace, write_new};
use objects::{Artifact, Field, Myself};

/// Folder of metadata inside a flow's, run's, step's or task's folder.
const FOLDER: &str = "_meta";

/// The metadata tree of one run.
pub struct MetadataTree {
    facts: RunFacts,
    folder: PathBuf,
    steps: Mutex<HashSet<String>>,
    hidden: AtomicUsize,
}

/// The pseudo task that holds the run's parameters.
const PARAMETERS: Attempt<'_> = Attempt {
    step: flowc_protocol::identity::PARAMETERS_STEP,
    task: "t",
    number: 0,
    path: "",
    gang: None,
};

impl MetadataTree {
    /// Enters a run below `root`, a store's root as Metaflow lays it out; the run becomes visible at once.
    pub fn enter(root: &Path, facts: RunFacts) -> io::Result<Self> {
        Self::enter_at(root, facts, now_ms())
    }

    /// As [`MetadataTree::enter`], for a run that began at another time. What is there already stays as it is.
    pub fn enter_at(root: &Path, facts: RunFacts, at_ms: u64) -> io::Result<Self> {
        let flow = root.join(&facts.flow);
        let folder = flow.join(&facts.run);
        let myself = Myself {
            flow_id: &facts.flow,
            run_number: None,
            step_name: None,
            task_id: None,
            user_name: None,
            tags: None,
            system_tags: None,
            ts_epoch: at_ms,
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
            hidden: AtomicUsize::new(0),
        })
    }

    /// A run whose folder was removed is not made again: it would be a run without most of its tasks.
    fn look(&self) -> io::Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let message = format!("{} was removed", self.folder.display());
        Err(io::Error::new(io::ErrorKind::NotFound, message))
    }

    /// How many artifacts were left out because of a name that no file can have. Tasks of flowc refuse such names; those
    /// of older ones did not.
    pub fn hidden(&self) -> usize {
        self.hidden.load(Ordering::Relaxed)
    }

    /// Records that an attempt starts: from now on the client sees the task.
    pub fn started(&self, attempt: Attempt<'_>) -> io::Result<()> {
        self.started_at(attempt, now_ms())
    }

    /// As [`MetadataTree::started`], for an attempt that started at another time. The same time gives the same files.
    pub fn started_at(&self, attempt: Attempt<'_>, at_ms: u64) -> io::Result<()> {
        self.look()?;
        self.enter_step(attempt.step, at_ms)?;
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
        fields.extend(self.execution_triggers(attempt));
        if !attempt.path.is_empty() {
            fields.push((
                "foreach-execution-path",
                "foreach-execution-path",
                attempt.path,
            ));
        }
        if let Ok(folder) = open_folder(&folder) {
            // A later attempt: the folder is being looked at already.
            return self.write_fields(&folder, attempt, &fields, at_ms, Folder::Seen);
        }
        fields.push(("script-name", "script-name", self.facts.script.as_str()));
        // As in Metaflow, what a run's system tags say of it is told of each task too: user, runtime, versions; not the
        // project and its branch.
        let said = self.facts.system_tags.iter();
        fields.extend(
            said.filter_map(|tag| tag.split_once(':'))
                .filter(|(name, _)| !name.starts_with("project"))
                .map(|(name, value)| (name, name, value)),
        );
        let new = task.join(format!("{FOLDER}.{}", std::process::id()));
        make_folder(&new)?;
        let opened = open_folder(&new)?;
        let myself = Myself {
            step_name: Some(attempt.step),
            task_id: Some(attempt.task),
            ..self.myself(at_ms)
        };
        write_new(&opened, "_self.json", &myself)?;
        self.write_fields(&opened, attempt, &fields, at_ms, Folder::Unseen)?;
        self.write_gang(&opened, attempt, at_ms)?;
        match std::fs::rename(&new, &folder) {
            // Another writer of the same task was first; what it wrote says the same.
            Err(_) if folder.is_dir() => std::fs::remove_dir_all(&new),
            result => result,
        }
    }

    /// Records what an ended attempt left: `record` is its `data.json`.
    pub fn ended(&self, attempt: Attempt<'_>, record: &Value, ok: bool) -> io::Result<()> {
        self.ended_at(attempt, record, ok, now_ms())
    }

    /// As [`MetadataTree::ended`], for an attempt that ended at another time. The same time gives the same files.
    pub fn ended_at(
        &self,
        attempt: Attempt<'_>,
        record: &Value,
        ok: bool,
        at_ms: u64,
    ) -> io::Result<()> {
        let path = self
            .folder
            .join(attempt.step)
            .join(attempt.task)
            .join(FOLDER);
        let folder = match open_folder(&path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It was adopted, so it never started here.
                self.started_at(attempt, at_ms)?;
                open_folder(&path)?
            }
            Err(error) => return Err(error),
        };
        self.write_artifacts(&folder, attempt, record, at_ms)?;
        let number = attempt.number.to_string();
        let ok = if ok { "True" } else { "False" };
        let mut fields = vec![("attempt_ok", "internal_attempt_status", ok)];
        if let Some(version) = self.python_version(record) {
            fields.push(("python_version", "python_version", version));
        }
        fields.push(("attempt-done", "attempt-done", number.as_str()));
        self.write_fields(&folder, attempt, &fields, at_ms, Folder::Seen)
    }

    /// Whether the end of an attempt is recorded, at this time.
    pub fn knows_end(&self, step: &str, task: &str, at_ms: u64) -> bool {
        let folder = self.folder.join(step).join(task).join(FOLDER);
        folder.join(field_file("attempt-done", at_ms)).exists()
    }

    /// Whether the start of an attempt is recorded, at this time.
    pub fn knows_start(&self, step: &str, task: &str, at_ms: u64) -> bool {
        let folder = self.folder.join(step).join(task).join(FOLDER);
        folder.join(field_file("attempt", at_ms)).exists()
    }

    /// Records the pseudo task that holds the run's parameters; `record` is its `data.json`.
    pub fn parameters(&self, manifest: &Manifest, record: &Value) -> io::Result<()> {
        self.parameters_at(manifest, record, now_ms())
    }

    /// As [`MetadataTree::parameters`], for parameters that were saved at another time.
    pub fn parameters_at(&self, manifest: &Manifest, record: &Value, at_ms: u64) -> io::Result<()> {
        self.ended_at(PARAMETERS, record, true, at_ms)?;
        self.write_graph(manifest, at_ms)
    }

    /// Says of the pseudo task that holds the run's parameters where the graph begins and ends.
    fn write_graph(&self, manifest: &Manifest, at_ms: u64) -> io::Result<()> {
        let attempt = PARAMETERS;
        let path = self
            .folder
            .join(attempt.step)
            .join(attempt.task)
            .join(FOLDER);
        let fields = [
            ("start_step", "graph_structure", manifest.start.as_str()),
            ("end_step", "graph_structure", &manifest.end),
        ];
        let folder = open_folder(&path)?;
        self.write_fields(&folder, attempt, &fields, at_ms, Folder::Seen)
    }

    /// Records a task that was taken over from the run that this one resumes; `record` is its `data.json`.
    ///
    /// As in Metaflow little is told of it: the client finds the rest, and the logs, at the task it is a copy of.
    pub fn copied(&self, attempt: Attempt<'_>, record: &Value) -> io::Result<()> {
        self.look()?;
        let at_ms = now_ms();
        self.enter_step(attempt.step, at_ms)?;
        let task = self.folder.join(attempt.step).join(attempt.task);
        let new = task.join(format!("{FOLDER}.{}", std::process::id()));
        make_folder(&new)?;
        let folder = open_folder(&new)?;
        let myself = Myself {
            step_name: Some(attempt.step),
            task_id: Some(attempt.task),
            ..self.myself(at_ms)
        };
        write_new(&folder, "_self.json", &myself)?;
        self.write_artifacts(&folder, attempt, record, at_ms)?;
        let number = attempt.number.to_string();
        let origin = self.facts.origin_run.as_deref().unwrap_or("None");
        let mut fields = vec![
            ("origin-task-id", "origin-task-id", attempt.task),
            ("origin-run-id", "origin-run-id", origin),
            ("attempt", "attempt", number.as_str()),
            ("attempt_ok", "internal_attempt_status", "True"),
        ];
        fields.extend(self.execution_triggers(attempt));
        if !attempt.path.is_empty() {
            let name = "foreach-execution-path";
            fields.push((name, name, attempt.path));
        }
        fields.push(("attempt-done", "attempt-done", number.as_str()));
        self.write_fields(&folder, attempt, &fields, at_ms, Folder::Unseen)?;
        self.write_gang(&folder, attempt, at_ms)?;
        std::fs::rename(&new, task.join(FOLDER))
    }

    /// As [`MetadataTree::copied`], for the pseudo task that holds the run's parameters.
    pub fn copied_parameters(&self, manifest: &Manifest, record: &Value) -> io::Result<()> {
        self.copied(PARAMETERS, record)?;
        self.write_graph(manifest, now_ms())
    }

    /// What started the run, told of tasks of its first step.
    fn execution_triggers(&self, attempt: Attempt<'_>) -> Option<(&str, &str, &str)> {
        let (start, triggers) = self.facts.triggers.as_ref()?;
        let name = "execution-triggers";
        (start == attempt.step).then_some((name, name, triggers))
    }

    /// The version of the task's Python, where the run's tags do not tell it.
    fn python_version<'a>(&self, record: &'a Value) -> Option<&'a str> {
        let mut tags = self.facts.system_tags.iter();
        if tags.any(|tag| tag.starts_with("python_version:")) {
            return None;
        }
        // The record has `sys.version`, which goes on with compiler and date.
        record.get("python_version")?.as_str()?.split(' ').next()
    }

    fn myself(&self, at_ms: u64) -> Myself<'_> {
        Myself {
            flow_id: &self.facts.flow,
            run_number: Some(&self.facts.run),
            step_name: None,
            task_id: None,
            user_name: Some(&self.facts.user),
            tags: Some(&self.facts.tags),
            system_tags: Some(&self.facts.system_tags),
            ts_epoch: at_ms,
        }
    }

    fn enter_step(&self, step: &str, at_ms: u64) -> io::Result<()> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.contains(step) {
            return Ok(());
        }
        let myself = Myself {
            step_name: Some(step),
            ..self.myself(at_ms)
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
        at_ms: u64,
        state: Folder,
    ) -> io::Result<()> {
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
                ts_epoch: at_ms,
            };
            let file = field_file(name, at_ms);
            match state {
                Folder::Unseen => write_new(folder, &file, &field)?,
                Folder::Seen => replace(folder, &file, &field)?,
            }
        }
        Ok(())
    }

    /// Says of a node of a gang what Metaflow's client finds the control task by; the folder is not seen yet.
    fn write_gang(&self, folder: &OwnedFd, attempt: Attempt<'_>, at_ms: u64) -> io::Result<()> {
        let Some(node) = attempt.gang else {
            return Ok(());
        };
        let (name, tags) = ("parallel-world-size", ["attempt_id:0".to_owned()]);
        let size = Field {
            flow_id: &self.facts.flow,
            run_number: &self.facts.run,
            step_name: attempt.step,
            task_id: attempt.task,
            name,
            ty: name,
            value: node.nodes,
            tags: &tags,
            user_name: &self.facts.user,
            ts_epoch: at_ms,
        };
        write_new(folder, &field_file(name, at_ms), &size)?;
        if node.is_control {
            let name = "internal_task_type";
            let fields = [(name, name, "control_task")];
            self.write_fields(folder, attempt, &fields, at_ms, Folder::Unseen)?;
        }
        Ok(())
    }

    fn write_artifacts(
        &self,
        folder: &OwnedFd,
        attempt: Attempt<'_>,
        record: &Value,
        at_ms: u64,
    ) -> io::Result<()> {
        let Some(objects) = record.get("objects").and_then(Value::as_object) else {
            return Ok(());
        };
        let location = format!(":root:{}", self.facts.ds_root);
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
                ts_epoch: at_ms,
            };
            match artifact_file(attempt.number, name) {
                Some(file) => write_new(folder, &file, &artifact)?,
                // The others stay visible.
                None => {
                    self.hidden.fetch_add(1, Ordering::Relaxed);
                }
            }
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

/// Name of the file of an artifact, if a file can have it. Metaflow's client chokes on an empty one.
fn artifact_file(attempt: u32, name: &str) -> Option<String> {
    let file = format!("{attempt}_artifact_{name}.json");
    let fits = !name.is_empty() && !name.contains(['/', '\0']) && file.len() <= FILE_MAX;
    fits.then_some(file)
}

/// Longest name of a file, in bytes (`NAME_MAX` of Linux's limits.h).
const FILE_MAX: usize = 255;

/// Name of the file of a field.
fn field_file(name: &str, at_ms: u64) -> String {
    format!("sysmeta_{name}_{at_ms}.json")
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
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests;
