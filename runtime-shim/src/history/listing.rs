//! From the names of a run's objects to its tasks.

use std::collections::{BTreeMap, HashMap, HashSet};

use flowc_protocol::identity::{IndexPath, TaskId};
use futures::{StreamExt, TryStreamExt};
use indexmap::IndexMap;

use super::{AttemptRecord, TaskRecord};
use crate::store::{Found, Store, StoreError};

/// Steps that are listed at a time.
const CONCURRENT: usize = 8;

/// The tasks of each step that has begun, by index.
pub(super) async fn list(
    store: &Store,
    flow: &str,
    run: &str,
) -> Result<IndexMap<String, Vec<TaskRecord>>, StoreError> {
    let root = format!("{flow}/{run}");
    let steps = store.list(&root).await?.folders;
    let listings = steps.into_iter().map(|step| {
        let folder = format!("{root}/{step}");
        async move {
            let mut tasks = Tasks::default();
            store
                .walk(&folder, &mut |found| tasks.take(&folder, &found))
                .await?;
            Ok::<_, StoreError>((step, tasks.finish()))
        }
    });
    let mut listed: IndexMap<_, _> = futures::stream::iter(listings)
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    listed.retain(|_, tasks| !tasks.is_empty());
    Ok(listed)
}

#[derive(Default)]
struct Tasks {
    by_id: HashMap<String, Draft>,
}

#[derive(Default)]
struct Draft {
    attempts: BTreeMap<u32, AttemptRecord>,
    committed_ms: Option<u64>,
}

impl Tasks {
    /// Takes note of a key below `folder`, which is a step's.
    fn take(&mut self, folder: &str, found: &Found) {
        let below = found.key.strip_prefix(folder).unwrap_or_default();
        let Some((task, file)) = below.trim_start_matches('/').split_once('/') else {
            return;
        };
        if file == "commit" {
            self.task(task).committed_ms = Some(found.modified_ms);
            return;
        }
        let Some((number, file)) = file.split_once('.') else {
            return;
        };
        let Ok(number) = number.parse::<u32>() else {
            return;
        };
        let attempt = self.task(task).attempts.entry(number).or_default();
        attempt.number = number;
        match file {
            "attempt.json" => attempt.claimed_ms = Some(found.modified_ms),
            "DONE.lock" => attempt.done_ms = Some(found.modified_ms),
            "task_stdout.log" => attempt.stdout = found.size,
            "task_stderr.log" => attempt.stderr = found.size,
            // `data.json`, and what Metaflow itself writes.
            _ => {}
        }
    }

    fn task(&mut self, id: &str) -> &mut Draft {
        if !self.by_id.contains_key(id) {
            self.by_id.insert(id.to_owned(), Draft::default());
        }
        self.by_id.entry(id.to_owned()).or_default()
    }

    fn finish(self) -> Vec<TaskRecord> {
        let drafts = self.by_id.into_iter();
        let mut tasks: Vec<_> = drafts.map(|(id, draft)| draft.finish(id)).collect();
        drop_pointers(&mut tasks);
        // What has no index is not of ours and comes last.
        tasks.sort_unstable_by(|a, b| {
            let key =
                |task: &TaskRecord| (task.index.is_none(), task.index.clone(), task.iteration);
            key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
        });
        tasks
    }
}

/// The commit by which successors find the last iteration is no task of its own.
fn drop_pointers(tasks: &mut Vec<TaskRecord>) {
    let repeated: HashSet<IndexPath> = tasks
        .iter()
        .filter(|task| task.iteration.is_some())
        .filter_map(|task| task.index.clone())
        .collect();
    tasks.retain(|task| {
        let index = task.index.as_ref().filter(|_| task.iteration.is_none());
        index.is_none_or(|index| !repeated.contains(index))
    });
}

impl Draft {
    fn finish(self, id: String) -> TaskRecord {
        let place: Option<TaskId> = id.parse().ok();
        TaskRecord {
            id,
            iteration: place.as_ref().and_then(|place| place.iteration),
            index: place.map(|place| place.index),
            attempts: self.attempts.into_values().collect(),
            committed_ms: self.committed_ms,
            count: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(keys: &[&str]) -> Vec<TaskRecord> {
        let mut tasks = Tasks::default();
        for (at, key) in keys.iter().enumerate() {
            let found = Found {
                key: format!("F/r/s/{key}"),
                size: 7,
                modified_ms: at as u64,
            };
            tasks.take("F/r/s", &found);
        }
        tasks.finish()
    }

    #[test]
    fn iterations_are_tasks_and_the_pointer_is_none() {
        let found = tasks(&[
            "t-0.1/0.attempt.json",
            "t-0.0/0.attempt.json",
            "t-0.0/commit",
            "t-0.1/commit",
            "t-0/commit",
            "t-0/choice.json",
            "t-1.0/0.attempt.json",
        ]);
        let seen: Vec<_> = found
            .iter()
            .map(|task| (task.id.as_str(), task.iteration))
            .collect();
        assert_eq!(
            seen,
            [("t-0.0", Some(0)), ("t-0.1", Some(1)), ("t-1.0", Some(0))]
        );
    }

    #[test]
    fn names_tell_what_became_of_tasks() {
        let found = tasks(&[
            "t-10/0.attempt.json",
            "t-9/0.attempt.json",
            "t-9/0.task_stderr.log",
            "t-9/0.data.json",
            "t-9/0.DONE.lock",
            "t-9/1.attempt.json",
            "t-9/commit",
            "t-9/split.json",
            "17/0.attempt.json",
        ]);
        let ids: Vec<_> = found.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(ids, ["t-9", "t-10", "17"]);
        let first = &found[0];
        assert_eq!(first.committed_ms, Some(6));
        let seen: Vec<_> = first
            .attempts
            .iter()
            .map(|it| (it.number, it.claimed_ms, it.done_ms, it.stdout, it.stderr))
            .collect();
        assert_eq!(
            seen,
            [(0, Some(1), Some(4), 0, 7), (1, Some(5), None, 0, 0)]
        );
    }
}
