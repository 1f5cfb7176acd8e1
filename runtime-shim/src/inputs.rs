//! Finding a task's parents by name, and what they committed.

use std::collections::BTreeMap;

use flowc_protocol::conversation::{Frame, Input, Object};
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP};
use flowc_protocol::manifest::{Manifest, StepKind};
use futures::{StreamExt, TryStreamExt};

use crate::commit::{self, Commit, Place};
use crate::error::TaskError;
use crate::store::Store;

/// Commits of parents that are read at a time.
const CONCURRENT: usize = 64;

/// What a task starts from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Parents in order: branches as written, foreach by index. Empty for the first step.
    pub parents: Vec<Input>,
    /// Open foreaches, outermost first.
    pub frames: Vec<Frame>,
    /// A join over nothing: the one parent is the splitting task.
    pub empty: bool,
    /// Digest of the known blobs that all parents say are in the store.
    pub known: Option<String>,
}

/// Reads the commits of all parents.
pub async fn resolve(
    store: &Store,
    manifest: &Manifest,
    run: &str,
    step: &str,
    index: &IndexPath,
) -> Result<Inputs, TaskError> {
    let Some(this) = manifest.steps.get(step) else {
        let names: Vec<_> = manifest.steps.keys().map(String::as_str).collect();
        return Err(configuration(format!(
            "flow `{}` has no step `{step}`; it has {}",
            manifest.flow,
            names.join(", ")
        )));
    };
    if index.indices().len() != this.foreach.len() {
        return Err(configuration(format!(
            "step `{step}` is inside {} foreach splits, but the index path is `{index}`",
            this.foreach.len()
        )));
    }
    let reader = Reader {
        store,
        manifest,
        run,
    };
    let closed = match this.kind {
        StepKind::Join => this
            .split
            .as_deref()
            .filter(|split| reader.kind(split) == Some(StepKind::Foreach)),
        StepKind::Linear | StepKind::Split | StepKind::Foreach | StepKind::End => None,
    };
    let mut places = Vec::new();
    let mut split_commit = None;
    if let Some(split) = closed {
        let commit = reader.commit(split, index).await?;
        let Some(count) = commit.count else {
            return Err(configuration(format!(
                "the foreach split `{split}` committed no count"
            )));
        };
        for child in 0..count {
            for parent in &this.parents {
                places.push((parent.as_str(), index.child(child)));
            }
        }
        split_commit = Some(commit);
    } else {
        for parent in &this.parents {
            let depth = manifest
                .steps
                .get(parent)
                .map_or(0, |step| step.foreach.len());
            places.push((parent.as_str(), index.truncated(depth)));
        }
    }
    // Made before they are streamed: a closure that borrows would keep this future on one thread.
    let pending: Vec<_> = places
        .iter()
        .map(|(parent, index)| reader.commit(parent, index))
        .collect();
    let commits: Vec<Commit> = futures::stream::iter(pending)
        .buffered(CONCURRENT)
        .try_collect()
        .await?;

    let frames = match (&split_commit, commits.first()) {
        (Some(split), _) => split.foreach.clone(),
        (None, Some(parent)) => open_frames(manifest, step, index, places[0].0, parent),
        (None, None) => Vec::new(),
    };
    let mut digests = commits
        .iter()
        .chain(&split_commit)
        .map(|commit| &commit.known);
    let first = digests.next().cloned().flatten();
    let known = first.filter(|first| digests.all(|other| other.as_ref() == Some(first)));
    if let (Some(split), Some(commit), true) = (closed, &split_commit, commits.is_empty()) {
        let parent = input(&manifest.flow, run, split, &index.task_id(), commit);
        return Ok(Inputs {
            parents: vec![parent],
            frames,
            empty: true,
            known,
        });
    }
    let parents = places
        .iter()
        .zip(commits)
        .map(|((parent, index), commit)| {
            input(&manifest.flow, run, parent, &index.task_id(), &commit)
        })
        .collect();
    Ok(Inputs {
        parents,
        frames,
        empty: false,
        known,
    })
}

/// The task `_parameters` as an input.
pub fn parameters(flow: &str, run: &str, commit: &Commit) -> Input {
    input(flow, run, PARAMETERS_STEP, "t", commit)
}

struct Reader<'a> {
    store: &'a Store,
    manifest: &'a Manifest,
    run: &'a str,
}

impl Reader<'_> {
    fn kind(&self, step: &str) -> Option<StepKind> {
        self.manifest.steps.get(step).map(|step| step.kind)
    }

    async fn commit(&self, step: &str, index: &IndexPath) -> Result<Commit, TaskError> {
        let place = Place::new(&self.manifest.flow, self.run, step, &index.task_id());
        let found = commit::find(self.store, &place).await?;
        found.ok_or_else(|| {
            configuration(format!(
                "the parent task {}/{step}/{} has not committed a result: {} is not there",
                self.run,
                index.task_id(),
                self.store.locate(&place.commit())
            ))
        })
    }
}

/// The parent's frames, and one more if it is a foreach split.
fn open_frames(
    manifest: &Manifest,
    step: &str,
    index: &IndexPath,
    parent: &str,
    commit: &Commit,
) -> Vec<Frame> {
    let mut frames = commit.foreach.clone();
    let split = manifest
        .steps
        .get(parent)
        .filter(|parent| parent.kind == StepKind::Foreach);
    if let (Some(split), Some(last)) = (split, index.indices().last()) {
        frames.push(Frame {
            step: step.to_owned(),
            variable: split.variable.clone().unwrap_or_default(),
            count: commit.count.unwrap_or_default(),
            index: *last,
        });
    }
    frames
}

fn input(flow: &str, run: &str, step: &str, task_id: &str, commit: &Commit) -> Input {
    let objects: BTreeMap<_, _> = commit
        .data
        .objects
        .iter()
        .map(|(name, key)| {
            let info = commit.data.info.get(name);
            let object = Object {
                key: key.clone(),
                size: info.map_or(0, |info| info.size),
                ty: info.map(|info| info.ty.clone()).unwrap_or_default(),
                encoding: info.map(|info| info.encoding.clone()).unwrap_or_default(),
            };
            (name.clone(), object)
        })
        .collect();
    Input {
        step: step.to_owned(),
        task_id: task_id.to_owned(),
        pathspec: format!("{flow}/{run}/{step}/{task_id}"),
        objects: Some(objects),
    }
}

fn configuration(message: String) -> TaskError {
    TaskError::new(Exit::Configuration, message)
}
