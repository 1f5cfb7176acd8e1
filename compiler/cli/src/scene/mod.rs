//! A step on its own: a store that is thrown away, with what the step starts from, and the one task in it.

mod fixture;
mod past;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use flowc_core::diag::render::Colour;
use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP, TaskId};
use flowc_protocol::json_text::Members;
use flowc_protocol::manifest::Manifest;
use flowc_task::cas::{Blobs, Loaded};
use flowc_task::commit::{self, Commit, Place, Record};
use flowc_task::inputs;
use flowc_task::launch::{Interpreter, Streams};
use flowc_task::signals::Stop;
use flowc_task::store::{Put, Store};
use flowc_task::task::{self, Observer, Stream, TaskReport, TaskRequest};
use serde_json::Value;

use crate::output;
use crate::run::progress::write_line;
use crate::run::session::output_wait;

/// What is to be run: which task, of which flow.
pub(crate) struct Subject {
    /// The flow, in which the step has no retries.
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) step: String,
    /// The place in the open foreaches that was asked for.
    pub(crate) index: Option<IndexPath>,
    /// Folder of the flow file, absolute.
    pub(crate) code: PathBuf,
    pub(crate) python: PathBuf,
    pub(crate) harness: PathBuf,
    pub(crate) streams: Streams,
    pub(crate) user: String,
}

/// The store, ready for the task.
pub(crate) struct Scene {
    /// Goes when this goes.
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    run: String,
    task: TaskId,
    /// What is told to user code as the run that is resumed.
    origin: Option<String>,
    /// Where the past run is, and those that may have started it.
    elsewhere: Option<Store>,
}

/// How the task ended.
pub(crate) struct Played {
    pub(crate) report: TaskReport,
    /// `Flow/run/step/task`, of the last iteration if there are several.
    pub(crate) task: String,
    /// What it left, if it came so far.
    pub(crate) record: Option<Record>,
}

impl Scene {
    fn new(run: &str, task: TaskId) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("flowc-test-")
            .tempdir()
            .context("cannot make a folder for the test's store")?;
        let root = folder.path().join("store");
        let store = Store::open(&root.to_string_lossy())?;
        Ok(Self {
            folder,
            store,
            run: run.to_owned(),
            task,
            origin: None,
            elsewhere: None,
        })
    }

    /// What the tasks before the step left: names of artifacts with the keys of their content.
    pub(crate) async fn inherited(&self, subject: &Subject) -> HashSet<(String, String)> {
        let flow = &subject.manifest.flow;
        let parents = if subject.step == subject.manifest.start {
            let place = Place::new(flow, &self.run, PARAMETERS_STEP, "t");
            let found = commit::find(&self.store, &place).await.ok().flatten();
            found
                .map(|found| vec![inputs::parameters(flow, &self.run, &found)])
                .unwrap_or_default()
        } else {
            let manifest = &subject.manifest;
            let found =
                inputs::resolve(&self.store, manifest, &self.run, &subject.step, &self.task).await;
            found.map(|found| found.parents).unwrap_or_default()
        };
        let objects = parents.into_iter().filter_map(|parent| parent.objects);
        objects
            .flatten()
            .map(|(name, object)| (name, object.key))
            .collect()
    }

    fn spool(&self) -> anyhow::Result<PathBuf> {
        let spool = self.folder.path().join("spool");
        std::fs::create_dir_all(&spool).context("cannot make a folder for artifacts")?;
        Ok(spool)
    }

    /// Makes a task's result what the step may start from.
    async fn put(&self, flow: &str, step: &str, task: &str, result: Commit) -> anyhow::Result<()> {
        let place = Place::new(flow, &self.run, step, task);
        // This store has no blobs that every task may count upon.
        let result = Commit {
            known: None,
            ..result
        };
        let bytes = serde_json::to_vec(&result)?;
        self.store.put_new(&place.commit(), bytes.into()).await?;
        Ok(())
    }

    /// Runs the task.
    pub(crate) async fn play(&self, subject: &Subject, stop: Stop) -> anyhow::Result<Played> {
        let cwd = std::env::current_dir().context("cannot tell the current folder")?;
        let request = TaskRequest {
            manifest: Arc::clone(&subject.manifest),
            run: self.run.clone(),
            step: subject.step.clone(),
            index: self.task.index.clone(),
            iteration: None,
            gang: None,
            orchestrator_attempt: None,
            package: None,
            code: subject.code.clone(),
            cwd,
            work: self.folder.path().to_owned(),
            parameters: Arc::new(Members::new()),
            causes: Arc::default(),
            elsewhere: self.elsewhere.clone(),
            origin_run: self.origin.clone(),
            tags: Arc::new([]),
            username: subject.user.clone(),
            namespace: Some(format!("user:{}", subject.user)),
            client_namespace: None,
            vault: crate::store::vault(&subject.manifest).await,
            output_wait: output_wait()?,
        };
        let launcher = Interpreter {
            python: subject.python.clone(),
            harness: subject.harness.clone(),
            streams: subject.streams,
        };
        let heard = Heard::default();
        let report = task::run(&self.store, &request, &launcher, &heard, stop).await;
        let heard = heard.last.into_inner();
        let last = heard.unwrap_or_else(PoisonError::into_inner);
        let flow = &subject.manifest.flow;
        let (task, record) = last.map_or_else(
            || (self.task.to_string(), None),
            |(task, record)| (task, serde_json::from_value(record).ok()),
        );
        Ok(Played {
            report,
            task: Place::new(flow, &self.run, &subject.step, &task).prefix,
            record,
        })
    }
}

/// Copies an artifact's blob from a store into that of the test.
async fn copy_blob(
    from: &Blobs,
    to: &Blobs,
    key: &str,
    size: u64,
    spool: &Path,
) -> anyhow::Result<()> {
    match from.load(key, size, spool).await? {
        Loaded::Inline(bytes) => {
            let (Put::Created | Put::Existed) = to.put(key, &bytes).await?;
        }
        Loaded::File(path) => put_copy(to, key, &path, spool).await?,
        Loaded::Unverified(path, verdict) => {
            verdict.await??;
            put_copy(to, key, &path, spool).await?;
        }
    }
    Ok(())
}

/// The file may be one of the store that it was read from.
async fn put_copy(to: &Blobs, key: &str, path: &Path, spool: &Path) -> anyhow::Result<()> {
    let copy = spool.join(format!("copy-{key}"));
    std::fs::copy(path, &copy).with_context(|| format!("cannot copy {}", path.display()))?;
    to.put_spool(&copy, None).await?;
    Ok(())
}

/// Prints what the task prints, and keeps what it left.
#[derive(Default)]
struct Heard {
    last: Mutex<Option<(String, Value)>>,
}

impl Observer for Heard {
    fn line(&self, request: &TaskRequest, stream: Stream, line: &[u8]) {
        let task = request.task_id().to_string();
        // A reader that has gone away is no reason to stop the test.
        let _ = match stream {
            Stream::Stdout => {
                let mut out = std::io::stdout().lock();
                write_line(&mut out, output::data_colour(), &request.step, &task, line)
            }
            Stream::Stderr => {
                let colour = output::colour() == Colour::Always;
                write_line(
                    &mut std::io::stderr().lock(),
                    colour,
                    &request.step,
                    &task,
                    line,
                )
            }
        };
    }

    fn ended(&self, request: &TaskRequest, _report: &TaskReport, record: Option<&Value>) {
        if let Some(record) = record {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((request.task_id().to_string(), record.clone()));
        }
    }
}
