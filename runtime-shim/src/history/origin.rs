//! Where the logs of tasks are that a run took over from the run that it resumes.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use indexmap::IndexMap;

use super::{CONCURRENT, RunRecord, TaskRecord, listing};
use crate::commit::{self, Place};
use crate::store::{Store, StoreError};

/// Other runs whose tasks were taken over.
#[derive(Debug, Default)]
pub struct Origins {
    /// Tasks by run and step, listed when they were asked for first.
    runs: HashMap<String, IndexMap<String, Vec<TaskRecord>>>,
    /// Of a step and task, the run in which it printed; `None` if it was never taken over.
    known: HashMap<(String, String), Option<String>>,
}

impl Origins {
    /// Gives the tasks that were taken over the attempts that they had in their origin. Costs nothing unless the run
    /// resumed another, and then a request for each task that printed nothing.
    pub async fn enter(&mut self, store: &Store, record: &mut RunRecord) -> Result<(), StoreError> {
        let Some(parameters) = &record.parameters else {
            return Ok(());
        };
        let place = Place::new(&record.flow, &record.run, "_parameters", &parameters.id);
        let is_resumed = commit::find(store, &place)
            .await?
            .is_some_and(|commit| commit.origin.is_some());
        if !is_resumed {
            return Ok(());
        }
        let silent = record.steps.iter().flat_map(|step| {
            let tasks = step.tasks.iter().filter(|task| is_silent(task));
            tasks.map(|task| (step.name.clone(), task.id.clone()))
        });
        let unknown: Vec<_> = silent
            .filter(|name| !self.known.contains_key(name))
            .collect();
        let reads = unknown.into_iter().map(|(step, task)| {
            let place = Place::new(&record.flow, &record.run, &step, &task);
            async move {
                let found = commit::find(store, &place).await?;
                Ok::<_, StoreError>(((step, task), found.and_then(|found| found.origin)))
            }
        });
        let reads: Vec<_> = reads.collect();
        let found: Vec<_> = futures::stream::iter(reads)
            .buffered(CONCURRENT)
            .try_collect()
            .await?;
        for (name, origin) in found {
            let printed_in = match origin {
                Some(origin) => Some(self.follow(store, &record.flow, &name, origin).await?),
                None => None,
            };
            self.known.insert(name, printed_in);
        }
        for step in &mut record.steps {
            for task in &mut step.tasks {
                let origin = self.of(&step.name, &task.id);
                if let Some(there) = origin.and_then(|run| self.task(run, &step.name, &task.id)) {
                    task.attempts.clone_from(&there.attempts);
                }
            }
        }
        Ok(())
    }

    /// The run in which a task printed, if that is another one.
    pub fn of(&self, step: &str, task: &str) -> Option<&str> {
        let name = (step.to_owned(), task.to_owned());
        self.known.get(&name)?.as_deref()
    }

    fn task(&self, run: &str, step: &str, task: &str) -> Option<&TaskRecord> {
        let mut tasks = self.runs.get(run)?.get(step)?.iter();
        tasks.find(|known| known.id == task)
    }

    /// From run to run, as long as the task was taken over there too.
    async fn follow(
        &mut self,
        store: &Store,
        flow: &str,
        (step, task): &(String, String),
        mut run: String,
    ) -> Result<String, StoreError> {
        loop {
            if !self.runs.contains_key(&run) {
                let listed = listing::list(store, flow, &run).await?;
                self.runs.insert(run.clone(), listed);
            }
            if self
                .task(&run, step, task)
                .is_none_or(|there| !is_silent(there))
            {
                return Ok(run);
            }
            let place = Place::new(flow, &run, step, task);
            let before = commit::find(store, &place).await?;
            match before.and_then(|before| before.origin) {
                Some(origin) => run = origin,
                None => return Ok(run),
            }
        }
    }
}

/// Whether a task has a result and no logs.
fn is_silent(task: &TaskRecord) -> bool {
    let has_logs = |it: &super::AttemptRecord| it.stdout + it.stderr > 0;
    task.committed_ms.is_some() && !task.attempts.iter().any(has_logs)
}
