//! One attempt of one task, from its claim to its commit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flowc_protocol::choice::{Choice, choice_key};
use flowc_protocol::environment;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::{IndexPath, TaskId};
use flowc_protocol::json_text::Members;
use flowc_protocol::manifest::Manifest;
use serde_json::Value;

use crate::attempt;
use crate::commit;
use crate::error::TaskError;
use crate::gang::Gang;
use crate::iterations;
use crate::launch::Launcher;
use crate::secrets::Vault;
use crate::signals::Stop;
use crate::store::{Store, StoreError};
use crate::triggers::Causes;

/// Which task to run and for whom.
#[derive(Clone, Debug)]
pub struct TaskRequest {
    /// The flow.
    pub manifest: Arc<Manifest>,
    /// Run id, already derived.
    pub run: String,
    /// Step name.
    pub step: String,
    /// Place of the task in the open foreaches.
    pub index: IndexPath,
    /// The iteration of a step that may choose itself again, from 0. [`run`] counts by itself and sets it for its observer.
    pub iteration: Option<u32>,
    /// The gang that the task is a node of, where its other nodes run beside it.
    pub gang: Option<Arc<Gang>>,
    /// The orchestrator's own attempt number, recorded only.
    pub orchestrator_attempt: Option<u32>,
    /// The code package by its name (`<Flow>/<sha256>`), where there is one; the run's `_parameters` remember it.
    pub package: Option<String>,
    /// Folder that holds the flow's tree: `manifest.file` is below it.
    pub code: PathBuf,
    /// Working folder of user code; on an orchestrator the same as `code`.
    pub cwd: PathBuf,
    /// Folder for spool files; each task makes and removes its own below it.
    pub work: PathBuf,
    /// Values given for parameters; read by the first step only.
    pub parameters: Arc<Members>,
    /// What started the run; read by the first step only, the others find it in the store.
    pub causes: Arc<Causes>,
    /// Where the runs are that started this one, if not in the store that it runs in.
    pub elsewhere: Option<Store>,
    /// The run that is resumed.
    pub origin_run: Option<String>,
    /// Tags of the run, shown by `current.tags`.
    pub tags: Arc<[String]>,
    /// Who runs it, as Metaflow finds it.
    pub username: String,
    /// `user:<name>`, shown by `current.namespace`.
    pub namespace: Option<String>,
    /// The namespace of Metaflow's client in user code, where it is not the client's own choice; empty for that of all.
    pub client_namespace: Option<String>,
    /// Where `@secrets` come from.
    pub vault: Vault,
    /// How long processes that the step left running may hold its output, [`OUTPUT_WAIT`] where nothing else is said.
    pub output_wait: Duration,
}

/// How long a task whose step is over waits for processes that the step left running and that hold its output.
///
/// Metaflow waits for ever (metaflow/runtime.py, `_poll_workers`, read at 2.19.39).
pub const OUTPUT_WAIT: Duration = Duration::from_mins(1);

/// The wait that the variable [`flowc_protocol::environment::OUTPUT_WAIT`] says, in whole seconds.
///
/// # Errors
///
/// Says what is wrong with it.
pub fn output_wait(said: Option<&str>) -> Result<Duration, String> {
    let Some(said) = said.filter(|said| !said.is_empty()) else {
        return Ok(OUTPUT_WAIT);
    };
    let name = environment::OUTPUT_WAIT;
    said.parse()
        .map(|seconds: u32| Duration::from_secs(seconds.into()))
        .map_err(|_| format!("{name}={said} is no number of seconds, such as 60"))
}

impl TaskRequest {
    /// The task's name below its step.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        TaskId {
            index: self.index.clone(),
            iteration: self.iteration,
        }
    }
}

/// What became of one attempt.
#[derive(Clone, Debug)]
pub struct TaskReport {
    /// For the orchestrator.
    pub exit: Exit,
    /// The claimed attempt, if user code was reached.
    pub attempt: Option<u32>,
    /// The result was there already, or another writer won.
    pub adopted: bool,
    /// Whether user code may be started again: attempts are left and the failure is one that another attempt can mend.
    pub may_retry: bool,
    /// Number of elements after a foreach split.
    pub count: Option<u32>,
    /// The step that a switch chose.
    pub next: Option<String>,
    /// One line that says what went wrong, for people.
    pub error: Option<String>,
    /// The user's own traceback, where user code raised.
    pub traceback: Option<String>,
}

/// Something else than user code failed, and no attempt was claimed.
impl From<&TaskError> for TaskReport {
    fn from(error: &TaskError) -> Self {
        Self {
            exit: error.exit,
            attempt: None,
            adopted: false,
            may_retry: error.exit.is_transient(),
            count: None,
            next: None,
            error: Some(error.message.clone()),
            traceback: None,
        }
    }
}

/// Which output a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Hears what a task does while it does it.
pub trait Observer: Send + Sync {
    /// An attempt was claimed and user code is about to start.
    fn started(&self, _request: &TaskRequest, _attempt: u32) {}
    /// User code printed a line; without its line end, not necessarily UTF-8.
    fn line(&self, _request: &TaskRequest, _stream: Stream, _line: &[u8]) {}
    /// The attempt ended and what it left is in the store: `record` is its `data.json`.
    fn ended(&self, _request: &TaskRequest, _report: &TaskReport, _record: Option<&Value>) {}
}

/// Runs one attempt of one task, unless its result is there already: resolves its parents, starts the harness, claims
/// the attempt, keeps its logs, saves what it leaves and commits it.
///
/// A step that may choose itself again runs here until it chooses another: each iteration is a task of its own, and a
/// later start goes on after the last that committed.
///
/// Whatever happens is in the report; what is left in the store is as in DESIGN §3 after every ending.
pub async fn run(
    store: &Store,
    request: &TaskRequest,
    launcher: &dyn Launcher,
    observer: &dyn Observer,
    stop: Stop,
) -> TaskReport {
    let definition = request.manifest.steps.get(&request.step);
    let report = if definition.is_some_and(|step| step.repeats) {
        iterations::run(store, request, launcher, observer, stop).await
    } else {
        run_one(store, request, launcher, observer, stop).await
    };
    let Some(next) = report.next.clone().filter(|_| report.exit == Exit::Done) else {
        return report;
    };
    match leave_choice(store, request, next).await {
        Ok(()) => report,
        Err(error) => TaskReport::from(&TaskError::from(error)),
    }
}

/// Writes what a switch chose where an orchestrator looks for it.
///
/// Only after the commit, by everyone who finds it: so it is always the choice that counts, whoever made it.
async fn leave_choice(
    store: &Store,
    request: &TaskRequest,
    next: String,
) -> Result<(), StoreError> {
    let key = choice_key(
        &request.manifest.flow,
        &request.run,
        &request.step,
        &request.index,
    );
    let choice = commit::to_json(&Choice { next });
    store.put(&key, vec![choice]).await
}

/// Runs one attempt of exactly the task that is asked for.
pub(crate) async fn run_one(
    store: &Store,
    request: &TaskRequest,
    launcher: &dyn Launcher,
    observer: &dyn Observer,
    stop: Stop,
) -> TaskReport {
    let (report, record) = attempt::run(store, request, launcher, observer, stop).await;
    let record = record.and_then(|record| serde_json::to_value(record).ok());
    observer.ended(request, &report, record.as_ref());
    report
}
