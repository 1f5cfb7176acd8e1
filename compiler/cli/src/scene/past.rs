//! What a step started from in a past run, copied.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, bail};
use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP, TaskId};
use flowc_protocol::manifest::Manifest;
use flowc_task::cas::Blobs;
use flowc_task::commit::{self, Place};
use flowc_task::history::{self, Name, RunRecord};
use flowc_task::inputs;
use flowc_task::store::Store;
use futures::{StreamExt, TryStreamExt};

use super::{Scene, Subject, copy_blob};

/// Results and artifacts that are copied at a time.
const CONCURRENT: usize = 32;

impl Scene {
    /// The scene of a task of a past run: of the run that `name` names the inputs of the step, at the place of the task
    /// that it names, if it names one.
    pub(crate) async fn of_run(
        subject: &Subject,
        origin: &Store,
        name: &str,
    ) -> anyhow::Result<Self> {
        let manifest = &subject.manifest;
        let name = history::find(origin, name).await?;
        if name.flow != manifest.flow {
            bail!(
                "{}/{} is a run of another flow than `{}`",
                name.flow,
                name.run,
                manifest.flow
            );
        }
        let record = history::run(origin, &name.flow, &name.run).await?;
        let record = record.context("the run is gone")?;
        let task = place(subject, &name)?;
        let mut scene = Self::new(&name.run, task)?;
        scene.elsewhere = Some(origin.clone());
        if subject.step == manifest.start {
            // The parameters are those of the run, as for one that is resumed.
            scene.origin = Some(name.run.clone());
        }
        scene.copy_results(subject, origin, &record).await?;
        scene.copy_artifacts(subject, origin).await?;
        Ok(scene)
    }

    /// Copies the results of all tasks from which the task may come, which are small.
    async fn copy_results(
        &self,
        subject: &Subject,
        origin: &Store,
        record: &RunRecord,
    ) -> anyhow::Result<()> {
        let manifest = &subject.manifest;
        let mut wanted: BTreeSet<(&str, String)> = BTreeSet::new();
        wanted.insert((PARAMETERS_STEP, "t".to_owned()));
        for step in ancestors(manifest, &subject.step) {
            for task in record.step(step).iter().flat_map(|step| &step.tasks) {
                let Some(index) = &task.index else {
                    bail!("{}/{} was made by Metaflow itself", record.flow, record.run);
                };
                if are_on_one_path(index, &self.task.index) {
                    wanted.insert((step, task.id.clone()));
                    // Of iterations, the last is found by this.
                    wanted.insert((step, index.task_id()));
                }
            }
        }
        let before = 0..self.task.iteration.unwrap_or_default();
        wanted.extend(before.map(|iteration| {
            let task = TaskId {
                iteration: Some(iteration),
                ..self.task.clone()
            };
            (subject.step.as_str(), task.to_string())
        }));
        let copies = wanted.into_iter().map(|(step, task)| async move {
            let place = Place::new(&record.flow, &record.run, step, &task);
            if let Some(found) = commit::find(origin, &place).await? {
                self.put(&record.flow, step, &task, found).await?;
            }
            anyhow::Ok(())
        });
        let copies: Vec<_> = copies.collect();
        futures::stream::iter(copies)
            .buffered(CONCURRENT)
            .try_collect::<()>()
            .await
    }

    /// Copies the artifacts of the task's parents.
    async fn copy_artifacts(&self, subject: &Subject, origin: &Store) -> anyhow::Result<()> {
        let manifest = &subject.manifest;
        let found =
            inputs::resolve(&self.store, manifest, &self.run, &subject.step, &self.task).await?;
        let mut parents = found.parents;
        if subject.step == manifest.start {
            let place = Place::new(&manifest.flow, &self.run, PARAMETERS_STEP, "t");
            let parameters = commit::find(&self.store, &place).await?;
            let parameters = parameters.context("the run's parameters were never saved")?;
            parents = vec![inputs::parameters(&manifest.flow, &self.run, &parameters)];
        }
        let spool = self.spool()?;
        let from = Blobs::new(origin, &manifest.flow);
        let to = Blobs::new(&self.store, &manifest.flow);
        let blobs: HashMap<String, u64> = parents
            .into_iter()
            .flat_map(|parent| parent.objects.unwrap_or_default().into_values())
            .map(|object| (object.key, object.size))
            .collect();
        let copies: Vec<_> = blobs
            .iter()
            .map(|(key, size)| copy_blob(&from, &to, key, *size, &spool))
            .collect();
        futures::stream::iter(copies)
            .buffer_unordered(CONCURRENT)
            .try_collect::<()>()
            .await
    }
}

/// Which task of the step is meant: at the index that is asked for, or at that of the task that is named; else the
/// first.
fn place(subject: &Subject, name: &Name) -> anyhow::Result<TaskId> {
    let depth = subject.manifest.steps[&subject.step].foreach.len();
    let mut place = TaskId::default();
    if let (Some(step), Some(task)) = (&name.step, &name.task) {
        let Ok(task) = task.parse::<TaskId>() else {
            bail!("`{task}` is no task of flowc");
        };
        if *step == subject.step {
            return Ok(task);
        }
        let parents = &subject.manifest.steps[&subject.step].parents;
        if !parents.contains(step) {
            bail!(
                "`{step}` is not `{}` and does not lead to it; {} do",
                subject.step,
                parents.join(", ")
            );
        }
        place.index = task.index.truncated(depth);
    } else if let Some(step) = name.step.as_ref().filter(|step| **step != subject.step) {
        bail!(
            "name a task of `{step}`, as in {}/{}/{step}/t-0, or the run alone",
            name.flow,
            name.run
        );
    }
    if let Some(index) = &subject.index {
        place.index = index.clone();
    }
    while place.index.indices().len() < depth {
        place.index = place.index.child(0);
    }
    Ok(place)
}

/// All steps that lead to a step.
fn ancestors<'a>(manifest: &'a Manifest, step: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<&str> = vec![step];
    while let Some(step) = pending.pop() {
        let Some(known) = manifest.steps.get(step) else {
            continue;
        };
        for parent in &known.parents {
            if found.insert(parent.as_str())
                && let Some((name, _)) = manifest.steps.get_key_value(parent)
            {
                pending.push(name);
            }
        }
    }
    found
}

/// Whether one place is around the other.
fn are_on_one_path(one: &IndexPath, other: &IndexPath) -> bool {
    let depth = one.indices().len().min(other.indices().len());
    one.truncated(depth) == other.truncated(depth)
}
