//! Reading a run: its names first, then the little that they do not tell.

use std::collections::HashMap;
use std::sync::Arc;

use flowc_protocol::identity::PARAMETERS_STEP;
use flowc_protocol::manifest::{Manifest, StepKind};
use futures::{StreamExt, TryStreamExt};
use indexmap::IndexMap;
use serde_json::Value;

use super::{CONCURRENT, RunRecord, StepRecord, TaskRecord, listing};
use crate::commit::{self, Commit, Place, Record};
use crate::error::TaskError;
use crate::package;
use crate::store::{Store, StoreError};

/// Reads what a run left; `None` if there is nothing.
pub async fn run(store: &Store, flow: &str, run: &str) -> Result<Option<RunRecord>, TaskError> {
    run_cached(store, flow, run, &mut Plans::new()).await
}

/// Plans by the name of their code package, which many runs share.
pub type Plans = HashMap<String, Arc<Manifest>>;

/// As [`run`], with the plans that are known already.
pub async fn run_cached(
    store: &Store,
    flow: &str,
    run: &str,
    plans: &mut Plans,
) -> Result<Option<RunRecord>, TaskError> {
    let mut listed = listing::list(store, flow, run).await?;
    if listed.is_empty() {
        return Ok(None);
    }
    let parameters = listed
        .swap_remove(PARAMETERS_STEP)
        .and_then(|tasks| tasks.into_iter().next());
    let plan = match &parameters {
        Some(task) if task.committed_ms.is_some() => {
            let place = Place::new(flow, run, PARAMETERS_STEP, &task.id);
            plan_of(store, &place, plans).await?
        }
        _ => None,
    };
    let mut record = RunRecord {
        flow: flow.to_owned(),
        run: run.to_owned(),
        steps: Vec::with_capacity(listed.len()),
        parameters,
        plan,
    };
    if let Some(plan) = &record.plan {
        for name in plan.steps.keys() {
            let tasks = listed.swap_remove(name).unwrap_or_default();
            record.steps.push(StepRecord {
                name: name.clone(),
                tasks,
                expected: None,
            });
        }
    }
    for (name, tasks) in by_beginning(store, flow, run, listed).await? {
        record.steps.push(StepRecord {
            name,
            tasks,
            expected: None,
        });
    }
    read_counts(store, &mut record).await?;
    expect(&mut record);
    Ok(Some(record))
}

/// The steps in the order in which they began, where no plan tells one. A file's time is too coarse for tasks of a few
/// milliseconds; the claim of a step's first task holds a finer one.
async fn by_beginning(
    store: &Store,
    flow: &str,
    run: &str,
    steps: IndexMap<String, Vec<TaskRecord>>,
) -> Result<Vec<(String, Vec<TaskRecord>)>, StoreError> {
    let reads = steps.into_iter().map(|(name, tasks)| async move {
        let claimed = |task: &&TaskRecord| task.attempts.first()?.claimed_ms;
        let mut began = f64::INFINITY;
        let claims = tasks.iter().filter(|task| !task.attempts.is_empty());
        if let Some(first) = claims.min_by_key(claimed)
            && let Some(attempt) = first.attempts.first()
        {
            let key =
                Place::new(flow, run, &name, &first.id).of_attempt(attempt.number, "attempt.json");
            let mark: Option<Value> = commit::read_json_if_whole(store, &key).await?;
            let time = mark.and_then(|mark| mark["time"].as_f64());
            began = time.unwrap_or(began);
        }
        Ok::<_, StoreError>((began, name, tasks))
    });
    let mut found: Vec<_> = futures::stream::iter(reads)
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    found.sort_by(|one, two| one.0.total_cmp(&two.0));
    Ok(found
        .into_iter()
        .map(|(_, name, tasks)| (name, tasks))
        .collect())
}

/// The plan of the package that a run's `_parameters` name.
async fn plan_of(
    store: &Store,
    parameters: &Place,
    plans: &mut Plans,
) -> Result<Option<Arc<Manifest>>, TaskError> {
    let commit = commit::find(store, parameters).await?;
    let Some(package) = commit.and_then(|commit| commit.package) else {
        return Ok(None);
    };
    if let Some(known) = plans.get(&package) {
        return Ok(Some(Arc::clone(known)));
    }
    let plan = Arc::new(package::fetch_plan(store, &package).await?);
    plans.insert(package, Arc::clone(&plan));
    Ok(Some(plan))
}

/// Reads why tasks failed: of each step the first `per_step` of those that have no result and whose last ended attempt
/// failed.
pub async fn explain(
    store: &Store,
    record: &mut RunRecord,
    per_step: usize,
) -> Result<(), StoreError> {
    let mut wanted = Vec::new();
    for (step_at, step) in record.steps.iter().enumerate() {
        let failed = step.tasks.iter().enumerate().filter_map(|(at, task)| {
            let attempt = task.last_ended()?;
            (task.committed_ms.is_none()).then_some((at, &task.id, attempt.number))
        });
        for (task_at, id, number) in failed.take(per_step) {
            let place = Place::new(&record.flow, &record.run, &step.name, id);
            wanted.push((step_at, task_at, number, place));
        }
    }
    let reads = wanted
        .into_iter()
        .map(|(step, task, number, place)| async move {
            let record = read_record(store, &place, number).await?;
            Ok::<_, StoreError>((step, task, number, record))
        });
    let found: Vec<_> = futures::stream::iter(reads)
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    for (step, task, number, read) in found {
        let attempts = &mut record.steps[step].tasks[task].attempts;
        if let Some(attempt) = attempts.iter_mut().find(|it| it.number == number) {
            attempt.outcome = read.and_then(|read| read.ours);
        }
    }
    Ok(())
}

/// Reads the `data.json` of an attempt, if it is there and whole.
pub async fn read_record(
    store: &Store,
    place: &Place,
    attempt: u32,
) -> Result<Option<Record>, StoreError> {
    commit::read_json_if_whole(store, &place.of_attempt(attempt, "data.json")).await
}

/// Reads the counts of the foreach splits that have committed.
async fn read_counts(store: &Store, record: &mut RunRecord) -> Result<(), StoreError> {
    let Some(plan) = record.plan.clone() else {
        return Ok(());
    };
    for step in &mut record.steps {
        let kind = plan.steps.get(&step.name).map(|step| step.kind);
        if kind != Some(StepKind::Foreach) {
            continue;
        }
        let (flow, run, name) = (&record.flow, &record.run, &step.name);
        let reads = step.tasks.iter().map(|task| {
            let place = Place::new(flow, run, name, &task.id);
            let is_committed = task.committed_ms.is_some();
            async move {
                if is_committed {
                    // A damaged one is told of by whoever goes on from it.
                    commit::read_json_if_whole(store, &place.commit()).await
                } else {
                    Ok(None)
                }
            }
        });
        let commits: Vec<Option<Commit>> = futures::stream::iter(reads)
            .buffered(CONCURRENT)
            .try_collect()
            .await?;
        for (task, commit) in step.tasks.iter_mut().zip(commits) {
            task.count = commit.and_then(|commit| commit.count);
        }
    }
    Ok(())
}

/// Finds out how many tasks each step will have: one outside foreaches, else as many as the elements of all tasks that
/// split right around it, once all of those have committed.
fn expect(record: &mut RunRecord) {
    let Some(plan) = record.plan.clone() else {
        return;
    };
    for at in 0..record.steps.len() {
        let Some(known) = plan.steps.get(&record.steps[at].name) else {
            continue;
        };
        // How often a step repeats, and whether a switch passes it by, nobody knows before.
        let is_open = known.repeats || known.conditional;
        let expected = match known.foreach.last() {
            _ if is_open => None,
            None => Some(1),
            // Each step comes after all its predecessors, so that the split's own number is known.
            Some(split) => record.step(split).and_then(|split| {
                let counts: Vec<_> = split.tasks.iter().filter_map(|task| task.count).collect();
                let is_all = split.expected == Some(counts.len() as u64);
                is_all.then(|| counts.into_iter().map(u64::from).sum())
            }),
        };
        record.steps[at].expected = expected;
    }
}
