//! Finding a task's parents by name, and what they committed.

use std::collections::BTreeMap;

use flowc_protocol::conversation::{Frame, Input, Object};
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP, TaskId};
use flowc_protocol::manifest::{Manifest, StepKind};
use futures::{StreamExt, TryStreamExt};

use crate::commit::{self, Commit, Place};
use crate::error::TaskError;
use crate::store::{Store, StoreError};

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
    task: &TaskId,
) -> Result<Inputs, TaskError> {
    let index = &task.index;
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
        step,
    };
    if let Some(before) = task.iteration.and_then(|number| number.checked_sub(1)) {
        return reader.iteration(index, before).await;
    }
    let closed = match this.kind {
        StepKind::Join => this
            .split
            .as_deref()
            .and_then(|split| Some((split, manifest.steps.get(split)?))),
        StepKind::Linear
        | StepKind::Split
        | StepKind::Foreach
        | StepKind::Switch
        | StepKind::End => None,
    };
    let mut places = Vec::new();
    let mut split_commit = None;
    // How many of the parents have run: behind a switch there are more that may.
    let mut wanted = this.parents.len().min(1);
    match closed {
        Some((name, split)) if split.kind == StepKind::Foreach => {
            let commit = reader.commit(name, index).await?;
            let Some(count) = commit.count else {
                return Err(configuration(format!(
                    "the foreach split `{name}` committed no count"
                )));
            };
            for child in 0..count {
                for parent in &this.parents {
                    places.push((parent.as_str(), index.child(child)));
                }
            }
            wanted = count as usize;
            split_commit = Some((name, commit));
        }
        _ => {
            if let Some((_, split)) = closed {
                wanted = split.next.len();
            }
            for parent in &this.parents {
                let depth = manifest
                    .steps
                    .get(parent)
                    .map_or(0, |step| step.foreach.len());
                places.push((parent.as_str(), index.truncated(depth)));
            }
        }
    }
    let parents = reader.commits(places, wanted).await?;

    let frames = match (&split_commit, parents.first()) {
        (Some((_, split)), _) => split.foreach.clone(),
        (None, Some(parent)) => open_frames(manifest, step, index, parent),
        (None, None) => Vec::new(),
    };
    let commits = parents.iter().map(|parent| &parent.commit);
    let mut digests = commits
        .chain(split_commit.iter().map(|(_, commit)| commit))
        .map(|commit| &commit.known);
    let first = digests.next().cloned().flatten();
    let known = first.filter(|first| digests.all(|other| other.as_ref() == Some(first)));
    if let (Some((split, commit)), true) = (&split_commit, parents.is_empty()) {
        return Ok(Inputs {
            parents: vec![input(&manifest.flow, run, split, index, commit)],
            frames,
            empty: true,
            known,
        });
    }
    let parents = parents
        .iter()
        .map(|parent| {
            input(
                &manifest.flow,
                run,
                parent.step,
                &parent.index,
                &parent.commit,
            )
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
    input(flow, run, PARAMETERS_STEP, &IndexPath::root(), commit)
}

/// A parent that has run.
struct Parent<'a> {
    step: &'a str,
    index: IndexPath,
    commit: Commit,
}

struct Reader<'a> {
    store: &'a Store,
    manifest: &'a Manifest,
    run: &'a str,
    /// The step whose parents are read.
    step: &'a str,
}

impl Reader<'_> {
    /// The parents at `places` that have run, which are `wanted` many.
    async fn commits<'p>(
        &self,
        places: Vec<(&'p str, IndexPath)>,
        wanted: usize,
    ) -> Result<Vec<Parent<'p>>, TaskError> {
        let all_run = places.len() == wanted;
        // Made before they are streamed: a closure that borrows would keep this future on one thread.
        let pending: Vec<_> = places
            .iter()
            .map(|(parent, index)| async move {
                if all_run {
                    self.commit(parent, index).await.map(Some)
                } else {
                    Ok(self.find(parent, index).await?)
                }
            })
            .collect();
        let found: Vec<Option<Commit>> = futures::stream::iter(pending)
            .buffered(CONCURRENT)
            .try_collect()
            .await?;
        let leads_here = |commit: &Commit| commit.next.as_deref().is_none_or(|it| it == self.step);
        let parents: Vec<Parent<'p>> = places
            .into_iter()
            .zip(found)
            .filter_map(|((step, index), commit)| {
                let commit = commit.filter(leads_here)?;
                Some(Parent {
                    step,
                    index,
                    commit,
                })
            })
            .collect();
        if parents.len() == wanted {
            return Ok(parents);
        }
        let this = self.manifest.steps.get(self.step);
        let names = this.map(|this| this.parents.join("`, `"));
        Err(configuration(format!(
            "step `{}` follows {wanted} of the tasks that may lead to it (of `{}`), but {} have committed and chosen it",
            self.step,
            names.unwrap_or_default(),
            parents.len(),
        )))
    }

    /// The iteration before this one.
    async fn iteration(&self, index: &IndexPath, number: u32) -> Result<Inputs, TaskError> {
        let before = TaskId {
            index: index.clone(),
            iteration: Some(number),
        };
        let flow = &self.manifest.flow;
        let place = Place::new(flow, self.run, self.step, &before.to_string());
        let found = commit::find_or_set_aside(self.store, &place).await?;
        let Some(mut commit) = found else {
            return Err(self.missing(self.step, &before, &place));
        };
        commit.iteration = Some(number);
        Ok(Inputs {
            parents: vec![input(flow, self.run, self.step, index, &commit)],
            frames: commit.foreach,
            empty: false,
            known: commit.known,
        })
    }

    async fn find(&self, step: &str, index: &IndexPath) -> Result<Option<Commit>, StoreError> {
        let place = Place::new(&self.manifest.flow, self.run, step, &index.task_id());
        commit::find_or_set_aside(self.store, &place).await
    }

    async fn commit(&self, step: &str, index: &IndexPath) -> Result<Commit, TaskError> {
        let found = self.find(step, index).await?;
        found.ok_or_else(|| {
            let task = TaskId {
                index: index.clone(),
                iteration: None,
            };
            let place = Place::new(&self.manifest.flow, self.run, step, &task.to_string());
            self.missing(step, &task, &place)
        })
    }

    fn missing(&self, step: &str, task: &TaskId, place: &Place) -> TaskError {
        configuration(format!(
            "the parent task {}/{step}/{task} has not committed a result: {} is not there",
            self.run,
            self.store.locate(&place.commit())
        ))
    }
}

/// The parent's frames, and one more if it is a foreach split.
fn open_frames(
    manifest: &Manifest,
    step: &str,
    index: &IndexPath,
    parent: &Parent<'_>,
) -> Vec<Frame> {
    let mut frames = parent.commit.foreach.clone();
    let split = manifest
        .steps
        .get(parent.step)
        .filter(|parent| parent.kind == StepKind::Foreach);
    if let (Some(split), Some(last)) = (split, index.indices().last()) {
        frames.push(Frame {
            step: step.to_owned(),
            variable: split.variable.clone().unwrap_or_default(),
            count: parent.commit.count.unwrap_or_default(),
            index: *last,
        });
    }
    frames
}

fn input(flow: &str, run: &str, step: &str, index: &IndexPath, commit: &Commit) -> Input {
    let task_id = TaskId {
        index: index.clone(),
        iteration: commit.iteration,
    };
    Input {
        step: step.to_owned(),
        task_id: task_id.to_string(),
        pathspec: format!("{flow}/{run}/{step}/{task_id}"),
        objects: Some(objects(commit)),
    }
}

/// The artifacts of a result, by name.
pub(crate) fn objects(commit: &Commit) -> BTreeMap<String, Object> {
    let keys = commit.data.objects.iter();
    keys.map(|(name, key)| {
        let info = commit.data.info.get(name);
        let object = Object {
            key: key.clone(),
            size: info.map_or(0, |info| info.size),
            ty: info.map(|info| info.ty.clone()).unwrap_or_default(),
            encoding: info.map(|info| info.encoding.clone()).unwrap_or_default(),
        };
        (name.clone(), object)
    })
    .collect()
}

fn configuration(message: String) -> TaskError {
    TaskError::new(Exit::Configuration, message)
}
