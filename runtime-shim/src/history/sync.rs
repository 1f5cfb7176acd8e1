//! Makes a run visible to Metaflow's client: builds the local metadata tree from what the run left in the store.
//!
//! All times are the store's, and a file's name holds its time, so that syncing again writes nothing new but what
//! happened since.

use std::io;
use std::path::{Path, PathBuf};

use flowc_protocol::identity::PARAMETERS_STEP;
use flowc_protocol::manifest::Manifest;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::{RunRecord, TaskRecord};
use crate::commit::{self, Place, Record};
use crate::error::TaskError;
use crate::metadata::{Attempt, MetadataTree, RunFacts, foreach_path, now_ms};
use crate::store::{Store, StoreError};

/// Tasks whose records are read at a time.
const CONCURRENT: usize = 64;

/// Who syncs.
#[derive(Clone, Debug)]
pub struct Syncer {
    /// Root of the metadata tree.
    pub root: PathBuf,
    /// Metaflow's name of the user; the client shows by default what is tagged with it.
    pub user: String,
    /// Tags of the program, besides those of the user and of the run's origin.
    pub system_tags: Vec<String>,
}

/// What became of a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Tasks that the run has begun.
    pub tasks: usize,
    /// Those of which something new was entered.
    pub entered: usize,
    /// Artifacts that were left out because no file can have their name.
    pub hidden: usize,
}

/// Why a run could not be count.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something in the store.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The tree.
    #[error("cannot write below {}", path.display())]
    Tree {
        /// Its root.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Enters a run that has a plan; one without is entered by whoever ran it (see [`RunRecord::plan`]).
pub async fn enter(
    store: &Store,
    record: &RunRecord,
    syncer: &Syncer,
) -> Result<Option<Synced>, SyncError> {
    let Some(plan) = &record.plan else {
        return Ok(None);
    };
    let unwritable = |source| SyncError::Tree {
        path: syncer.root.clone(),
        source,
    };
    let mut system_tags = vec![format!("user:{}", syncer.user), "runtime:flowc".to_owned()];
    system_tags.extend(origin(&record.run).map(|origin| format!("orchestrator:{origin}")));
    system_tags.extend(syncer.system_tags.iter().cloned());
    system_tags.extend(plan.project_tags());
    let facts = RunFacts {
        flow: record.flow.clone(),
        run: record.run.clone(),
        user: syncer.user.clone(),
        tags: Vec::new(),
        system_tags,
        ds_type: store.kind().to_owned(),
        ds_root: store.url().to_owned(),
        origin_run: None,
        script: plan.file.clone(),
        triggers: triggers(store, record, plan).await?,
    };
    let began = record
        .parameters
        .as_ref()
        .and_then(|task| task.attempts.first()?.claimed_ms);
    // A run that left nothing is entered by its exit hooks.
    let tree = MetadataTree::enter_at(&syncer.root, facts, began.unwrap_or_else(now_ms))
        .map_err(unwritable)?;
    let mut count = Synced::default();
    if let Some(task) = &record.parameters
        && let Some(at_ms) = task.committed_ms
        && !tree.knows_end(PARAMETERS_STEP, &task.id, at_ms)
        && let Some(commit) = commit::find(store, &place(record, PARAMETERS_STEP, task)).await?
    {
        tree.parameters_at(plan, &value(&commit.data), at_ms)
            .map_err(unwritable)?;
    }
    for step in &record.steps {
        count.tasks += step.tasks.len();
        let reads = step.tasks.iter().map(|task| {
            let news = News::of(&tree, &step.name, task);
            async move {
                let records = read(store, record, &step.name, task, &news).await?;
                Ok::<_, StoreError>((task, news, records))
            }
        });
        let mut reads = std::pin::pin!(futures::stream::iter(reads).buffered(CONCURRENT));
        while let Some((task, news, records)) = reads.try_next().await? {
            if news.is_empty() {
                continue;
            }
            count.entered += 1;
            let path = task
                .index
                .as_ref()
                .map(|index| foreach_path(plan, &step.name, index));
            let attempt = |number| Attempt {
                step: &step.name,
                task: &task.id,
                number,
                path: path.as_deref().unwrap_or_default(),
                // Orchestrators have no gangs, and other runs are entered by who ran them.
                gang: None,
            };
            for (number, at_ms) in &news.started {
                tree.started_at(attempt(*number), *at_ms)
                    .map_err(unwritable)?;
            }
            for (ended, at_ms) in records {
                let ok = ended.ours.as_ref().is_some_and(|ours| ours.ok);
                tree.ended_at(attempt(ended.attempt), &value(&ended), ok, at_ms)
                    .map_err(unwritable)?;
            }
        }
    }
    count.hidden = tree.hidden();
    Ok(Some(count))
}

/// What started the run, as the tree has it.
async fn triggers(
    store: &Store,
    record: &RunRecord,
    plan: &Manifest,
) -> Result<Option<(String, String)>, StoreError> {
    let Some(task) = record
        .parameters
        .as_ref()
        .filter(|_| !plan.triggers.is_empty())
    else {
        return Ok(None);
    };
    let began = commit::find(store, &place(record, PARAMETERS_STEP, task)).await?;
    Ok(began.and_then(|began| RunFacts::triggers_of(plan, &began.triggers)))
}

/// What the tree does not know yet of a task: attempts, and when.
#[derive(Default)]
struct News {
    started: Vec<(u32, u64)>,
    ended: Vec<(u32, u64)>,
}

impl News {
    fn of(tree: &MetadataTree, step: &str, task: &TaskRecord) -> Self {
        let mut news = Self::default();
        // S3 tells whole seconds; files of two attempts in one second must have two names.
        let apart = |at_ms: u64, number: u32| at_ms + u64::from(number);
        for attempt in &task.attempts {
            let number = attempt.number;
            if let Some(at_ms) = attempt.claimed_ms.map(|at_ms| apart(at_ms, number))
                && !tree.knows_start(step, &task.id, at_ms)
            {
                news.started.push((number, at_ms));
            }
            // A writer may have been killed between its commit and the mark of its end.
            let is_only = task.attempts.len() == 1;
            let at_ms = attempt.done_ms.or(task.committed_ms.filter(|_| is_only));
            if let Some(at_ms) = at_ms.map(|at_ms| apart(at_ms, number))
                && !tree.knows_end(step, &task.id, at_ms)
            {
                news.ended.push((number, at_ms));
            }
        }
        news
    }

    fn is_empty(&self) -> bool {
        self.started.is_empty() && self.ended.is_empty()
    }
}

/// The records of attempts that ended: one request each, and that for the commit alone where there was one attempt.
async fn read(
    store: &Store,
    run: &RunRecord,
    step: &str,
    task: &TaskRecord,
    news: &News,
) -> Result<Vec<(Record, u64)>, StoreError> {
    let place = place(run, step, task);
    let mut records = Vec::with_capacity(news.ended.len());
    for (number, at_ms) in &news.ended {
        let record = if task.committed_ms.is_some() && task.attempts.len() == 1 {
            commit::find(store, &place).await?.map(|commit| commit.data)
        } else {
            super::read_record(store, &place, *number).await?
        };
        records.extend(record.map(|record| (record, *at_ms)));
    }
    Ok(records)
}

fn place(run: &RunRecord, step: &str, task: &TaskRecord) -> Place {
    Place::new(&run.flow, &run.run, step, &task.id)
}

/// The orchestrator that a run's id names.
fn origin(run: &str) -> Option<&str> {
    let (kind, _) = run.split_once('-')?;
    matches!(kind, "sfn" | "argo" | "airflow").then_some(kind)
}

fn value(record: &Record) -> Value {
    // String keys and numbers only, so that this cannot fail.
    serde_json::to_value(record).unwrap_or_default()
}

/// Whether a metadata tree holds a run already.
pub fn is_entered(root: &Path, flow: &str, run: &str) -> bool {
    root.join(flow).join(run).join("_meta/_self.json").exists()
}
