//! One run from its first file to its last: store, name, interpreter, metadata, tasks.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP, TaskId};
use flowc_protocol::json_text::Members;
use flowc_protocol::manifest::Manifest;
use flowc_protocol::trigger::Started;
use flowc_task::commit::{self, Commit, Place, Record};
use flowc_task::error::TaskError;
use flowc_task::gang::Gang;
use flowc_task::held::HeldFolder;
use flowc_task::history;
use flowc_task::launch::{self, LaunchError, Launcher, Streams};
use flowc_task::metadata::{MetadataTree, RunFacts};
use flowc_task::resume::Copier;
use flowc_task::secrets::Vault;
use flowc_task::signals::{self, Stop, Stopper, Urgency};
use flowc_task::store::{Store, StoreError};
use flowc_task::task::{self, TaskReport, TaskRequest};
use flowc_task::triggers::Causes;
use serde_json::Value;

use crate::fork::ForkServer;
use crate::interpreter;
use crate::kept::Kept;
use crate::observe::{Entry, Observed, Scribe};
use crate::place;
use crate::ready::Ready;
use crate::report::Reporter;
use crate::resume::{self, Origin};
use crate::schedule::{Ending, Limits, RunTask, schedule_from};
use crate::zygote::Recipe;

/// What to run, where, and for whom.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The flow.
    pub manifest: Arc<Manifest>,
    /// Folder of the flow file, absolute.
    pub code: PathBuf,
    /// Working folder of user code, absolute.
    pub cwd: PathBuf,
    /// Where the run's data goes.
    pub store: Store,
    /// Root of the metadata tree for stores that are no folder; a folder holds its own.
    pub metadata: PathBuf,
    /// Values given for parameters, as typed.
    pub parameters: Members,
    /// What is to have started the run, the latest first; a resumed one has the same as its origin if this is empty.
    pub triggers: Vec<Started>,
    /// Tags of the user.
    pub tags: Vec<String>,
    /// Who runs it.
    pub user: String,
    /// The namespace of Metaflow's client in user code; empty for that of all, the user's if absent.
    pub namespace: Option<String>,
    /// The Python interpreter.
    pub python: PathBuf,
    /// How tasks get their process.
    pub start: Start,
    /// Folder that keeps the harness between runs.
    pub cache: PathBuf,
    /// Workers and widths.
    pub limits: Limits,
    /// Where `@secrets` come from.
    pub vault: Vault,
    /// How long what a step left running may hold its output, see [`task::OUTPUT_WAIT`].
    pub output_wait: Duration,
    /// The run that is resumed; then `parameters` are not looked at.
    pub origin: Option<Origin>,
}

/// How tasks get their process.
#[derive(Clone, Debug)]
pub enum Start {
    /// Forks of an interpreter that has imported these modules.
    Fork {
        /// In the flow file's order, see `flowc_core::front::python::preload`.
        modules: Vec<String>,
    },
    /// An interpreter each.
    Fresh,
    /// An interpreter each, with the terminal as its input and output; [`Limits::max_workers`] is to be 1.
    Terminal,
}

/// A run that took place.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// Its data: a folder or URL.
    pub location: String,
    /// How it ended.
    pub ending: Ending,
    /// What it has left.
    pub kept: Arc<Kept>,
}

/// A run that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run that is resumed cannot be read.
    #[error(transparent)]
    Origin(StoreError),
    /// The interpreter does not start.
    #[error(transparent)]
    Python(#[from] LaunchError),
    /// A file of ours cannot be written.
    #[error("cannot write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RunError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// Runs the flow.
pub async fn run(
    request: RunRequest,
    reporter: Arc<dyn Reporter>,
    stop: Stop,
) -> Result<Run, RunError> {
    let temporary = std::env::temp_dir();
    let work = HeldFolder::make(&temporary, "flowc-").map_err(RunError::file(&temporary))?;
    let harness = flowc_task::harness::install(&request.cache)
        .or_else(|_| flowc_task::harness::install(work.path()))
        .map_err(RunError::file(work.path()))?;
    // The interpreter takes longest to start, so the rest is done meanwhile.
    let begin = async {
        let store = request.store.clone();
        store.probe().await?;
        let root = store.local_root().unwrap_or(&request.metadata).to_owned();
        let flow = root.join(&request.manifest.flow);
        let id = place::new_run(&flow).map_err(RunError::file(&flow))?;
        let held = place::hold(&flow.join(&id));
        if request.origin.is_none() {
            place::note_latest(&flow, &id).map_err(RunError::file(&flow))?;
        }
        Ok::<_, RunError>((store, root, id, held))
    };
    let ((store, root, id, _held), (launcher, version)) =
        tokio::try_join!(begin, launcher(&request, harness))?;
    let origin_run = request
        .origin
        .as_ref()
        .map(|origin| origin.record.run.clone());
    let mut system_tags = vec![
        format!("user:{}", request.user),
        "runtime:flowc".to_owned(),
        concat!("flowc_version:", env!("CARGO_PKG_VERSION")).to_owned(),
    ];
    system_tags.extend(version.map(|version| format!("python_version:{version}")));
    system_tags.extend(request.manifest.project_tags());
    let triggers = triggers(&request).await.map_err(RunError::Origin)?;
    let facts = RunFacts {
        flow: request.manifest.flow.clone(),
        run: id.clone(),
        user: request.user.clone(),
        tags: request.tags.clone(),
        system_tags,
        ds_type: store.kind().to_owned(),
        ds_root: store.url().to_owned(),
        origin_run: origin_run.clone(),
        script: request.manifest.file.clone(),
        triggers: RunFacts::triggers_of(&request.manifest, &triggers),
    };
    let tree = MetadataTree::enter(&root, facts).map_err(RunError::file(&root))?;
    reporter.named(&id);
    let scribe = Scribe::start(tree, Arc::clone(&request.manifest));
    let location = store.locate(&format!("{}/{id}", request.manifest.flow));
    let template = TaskRequest {
        manifest: Arc::clone(&request.manifest),
        run: id.clone(),
        step: String::new(),
        index: IndexPath::root(),
        iteration: None,
        gang: None,
        orchestrator_attempt: None,
        package: None,
        code: request.code.clone(),
        cwd: request.cwd.clone(),
        work: work.path().to_owned(),
        parameters: Arc::new(request.parameters.clone()),
        causes: Arc::new(Causes {
            started: triggers,
            ..Causes::default()
        }),
        elsewhere: None,
        origin_run,
        tags: request.tags.clone().into(),
        namespace: Some(format!("user:{}", request.user)),
        client_namespace: request.namespace.clone(),
        username: request.user.clone(),
        vault: request.vault.clone(),
        output_wait: request.output_wait,
    };
    let kept = Arc::new(Kept::new(&store, &request.manifest.flow, &id, &root));
    let runner = Arc::new(Tasks {
        store,
        kept: Arc::clone(&kept),
        launcher,
        observed: Observed {
            reporter: Arc::clone(&reporter),
            entries: scribe.entries(),
        },
        stop: stop.clone(),
        template,
    });
    let watcher = Arc::clone(&reporter).into_watcher();
    let mut ready = Ready::new(&request.manifest);
    let mut too_wide = None;
    if let Some(origin) = &request.origin {
        let flow = root.join(&request.manifest.flow);
        match runner.adopt(origin, &request, &id, &mut ready).await {
            Ok(found) => too_wide = found,
            Err(error) => {
                drop(runner);
                let _ = scribe.finish().await;
                // Nothing has run in it. If it cannot be removed it is a run without tasks.
                let _ = std::fs::remove_dir_all(flow.join(&id));
                return Err(RunError::Origin(error));
            }
        }
        // Only now is there something that could be resumed in its turn.
        place::note_latest(&flow, &id).map_err(RunError::file(&flow))?;
    }
    let ending = if let Some((split, index, count)) = too_wide {
        // Else the metadata would be waited for in vain.
        drop(runner);
        Ending::TooWide {
            step: split,
            index,
            count,
        }
    } else {
        let manifest = &request.manifest;
        schedule_from(manifest, ready, runner, request.limits, watcher, stop).await
    };
    if let Err(error) = scribe.finish().await {
        reporter.trouble(&format!(
            "Metaflow's client may not see all of this run: cannot write metadata below {}: {error}",
            root.display()
        ));
    }
    Ok(Run {
        id,
        location,
        ending,
        kept,
    })
}

/// What started the run: as it was said, else as its origin knows.
async fn triggers(request: &RunRequest) -> Result<Vec<Started>, StoreError> {
    let origin = match &request.origin {
        Some(origin) if request.triggers.is_empty() && !request.manifest.triggers.is_empty() => {
            &origin.record.run
        }
        _ => return Ok(request.triggers.clone()),
    };
    let place = Place::new(&request.manifest.flow, origin, PARAMETERS_STEP, "t");
    let began = commit::find(&request.store, &place).await?;
    Ok(began.map(|began| began.triggers).unwrap_or_default())
}

/// Starts an interpreter for each task.
async fn fresh(
    request: &RunRequest,
    harness: PathBuf,
    streams: Streams,
) -> Result<(Arc<dyn Launcher>, Option<String>), RunError> {
    let (python, version) = interpreter::ask(&request.python).await?;
    let launcher = launch::Interpreter {
        python,
        harness,
        streams,
    };
    Ok((Arc::new(launcher), Some(version)))
}

/// What starts processes, and the version of its Python where it is known.
async fn launcher(
    request: &RunRequest,
    harness: PathBuf,
) -> Result<(Arc<dyn Launcher>, Option<String>), RunError> {
    match &request.start {
        Start::Fresh => fresh(request, harness, Streams::Pipes).await,
        Start::Terminal => fresh(request, harness, Streams::Terminal).await,
        Start::Fork { modules } => {
            let recipe = Recipe {
                python: request.python.clone(),
                harness,
                file: request.code.join(&request.manifest.file),
                modules: modules.clone(),
            };
            let server = ForkServer::new(recipe);
            let about = server.warm_up().await?;
            let version = about
                .python
                .as_deref()
                .and_then(|said| said.split(' ').next());
            let version = version.map(str::to_owned);
            Ok((Arc::new(server), version))
        }
    }
}

/// Runs tasks by the task library.
struct Tasks {
    store: Store,
    kept: Arc<Kept>,
    launcher: Arc<dyn Launcher>,
    observed: Observed,
    stop: Stop,
    template: TaskRequest,
}

#[async_trait]
impl RunTask for Tasks {
    async fn run(
        &self,
        step: &str,
        index: IndexPath,
        start: u32,
        gang: Option<Arc<Gang>>,
    ) -> TaskReport {
        let request = TaskRequest {
            step: step.to_owned(),
            index,
            gang,
            orchestrator_attempt: Some(start),
            ..self.template.clone()
        };
        let report = self.attempt(&request).await;
        let report = self.looked_after(&request, report);
        let is_first = step == request.manifest.start && request.origin_run.is_none();
        if is_first && report.exit == Exit::Done {
            self.enter_parameters(&request).await;
        }
        report
    }
}

/// Stops a node of a gang when the run is stopped or another node has failed.
async fn pass_on(mut stop: Stop, gang: &Gang, stopper: &Stopper) -> Infallible {
    tokio::select! {
        urgency = stop.requested(Urgency::Soon) => stopper.request(urgency),
        () = gang.broken() => stopper.request(Urgency::Soon),
    }
    let urgency = stop.requested(Urgency::Now).await;
    stopper.request(urgency);
    std::future::pending().await
}

impl Tasks {
    /// Runs a task; a node of a gang is stopped when another one fails.
    async fn attempt(&self, request: &TaskRequest) -> TaskReport {
        let launcher = self.launcher.as_ref();
        let run = |told| task::run(&self.store, request, launcher, &self.observed, told);
        let Some(gang) = &request.gang else {
            return run(self.stop.clone()).await;
        };
        let (stopper, told) = signals::stop();
        let report = tokio::select! {
            report = run(told) => report,
            never = pass_on(self.stop.clone(), gang, &stopper) => match never {},
        };
        if report.exit == Exit::Done {
            gang.ended(&request.index);
        } else {
            gang.failed(&request.index);
        }
        report
    }

    /// The report of a task, unless the run's folder is gone: then nothing that it left counts, and no other try helps.
    fn looked_after(&self, request: &TaskRequest, report: TaskReport) -> TaskReport {
        if report.exit == Exit::Done {
            self.kept.committed(&request.step, request.task_id());
        }
        let Err(lost) = self.kept.look() else {
            return report;
        };
        let lost = match report.error {
            Some(error) => format!("{error}; {lost}"),
            None => lost,
        };
        TaskReport {
            attempt: report.attempt,
            ..TaskReport::from(&TaskError::new(Exit::Configuration, lost))
        }
    }

    /// Takes over what the origin has left; a foreach among it that is too wide for this run.
    async fn adopt(
        &self,
        origin: &Origin,
        request: &RunRequest,
        run: &str,
        ready: &mut Ready,
    ) -> Result<Option<(String, IndexPath, u32)>, StoreError> {
        let manifest = &request.manifest;
        let copier = Copier {
            store: self.store.clone(),
            flow: manifest.flow.clone(),
            origin: origin.record.run.clone(),
            run: run.to_owned(),
        };
        if let Some(parameters) = copier.find_parameters().await? {
            let copy = {
                let triggers = &request.triggers;
                copier.copy_parameters(parameters, triggers).await?
            };
            let record = value(&copy.data);
            self.observed.enter(Entry::CopiedParameters(record));
        }
        let on_copy = |step: &str, task: &TaskId, copy: &Commit| {
            self.kept.committed(step, task.clone());
            self.observed.enter(Entry::Copied {
                step: step.to_owned(),
                task: task.clone(),
                record: value(&copy.data),
                gang: resume::node(manifest, step, copy),
            });
        };
        let widest = request.limits.max_num_splits;
        let adoption = resume::adopt(&copier, manifest, origin, widest, ready, &on_copy).await?;
        let reporter = &self.observed.reporter;
        for (at, step) in manifest.steps.keys().enumerate() {
            reporter.expected(step, ready.expected(at));
        }
        reporter.adopted(&adoption);
        Ok(adoption.too_wide)
    }

    /// The first step has left the task `_parameters` behind, which the observer does not hear of.
    async fn enter_parameters(&self, request: &TaskRequest) {
        let flow = &request.manifest.flow;
        let place = Place::new(flow, &request.run, PARAMETERS_STEP, "t");
        match history::read_record(&self.store, &place, 0).await {
            Ok(Some(record)) => self.observed.parameters(value(&record)),
            Ok(None) => {}
            Err(error) => self.observed.reporter.trouble(&format!(
                "Metaflow's client will not see the parameters of this run: {error}"
            )),
        }
    }
}

fn value(record: &Record) -> Value {
    // String keys and numbers only, so that this cannot fail.
    serde_json::to_value(record).unwrap_or_default()
}
