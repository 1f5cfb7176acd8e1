//! Taking tasks over from one run into another, so that the other need not run them.
//!
//! Artifacts are named by their content and belong to the flow, so that a copy of a task holds the same keys and no bytes
//! move. Logs are not copied: [`Commit::origin`] says where they are.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowc_protocol::identity::{IndexPath, PARAMETERS_STEP, TaskId};
use flowc_protocol::known::Known;
use flowc_protocol::manifest::Manifest;
use flowc_protocol::split::Split;
use flowc_protocol::trigger::Started;

use crate::cas::Blobs;
use crate::commit::{self, Commit, Place, Start};
use crate::iterations;
use crate::outputs;
use crate::store::{Store, StoreError};

/// What results refer to: the blobs of their artifacts.
pub struct Contents {
    blobs: Blobs,
    known: Known,
    /// Those that are there; results share most of them.
    there: Mutex<HashSet<String>>,
}

impl Contents {
    /// Of the results of a flow.
    pub fn new(store: &Store, manifest: &Manifest) -> Self {
        Self {
            blobs: Blobs::new(store, &manifest.flow),
            known: Known::of(manifest),
            there: Mutex::default(),
        }
    }

    /// The first artifact of a result that is not in the store any more, because its blob was damaged and set aside or
    /// because somebody removed it. What every run of the flow puts there is put there again.
    pub async fn missing(&self, result: &Commit) -> Result<Option<String>, StoreError> {
        for (name, key) in &result.data.objects {
            if self.lock().contains(key) {
                continue;
            }
            if !self.blobs.has(key).await? {
                if !self.known.contains(key) {
                    return Ok(Some(name.clone()));
                }
                outputs::put_all(&self.blobs, self.known.to_vec()).await?;
            }
            self.lock().insert(key.clone());
        }
        Ok(None)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which run's tasks are taken over into which.
#[derive(Clone, Debug)]
pub struct Copier {
    /// Where both runs are.
    pub store: Store,
    /// The flow of both.
    pub flow: String,
    /// The run whose tasks are taken over.
    pub origin: String,
    /// The run that gets them; nobody else writes to it yet.
    pub run: String,
}

impl Copier {
    /// The result of a task of the origin, if it has one. One that is proven to be damaged is set aside, and then
    /// [`StoreError::Corrupt`] says so.
    pub async fn find(&self, step: &str, task: &str) -> Result<Option<Commit>, StoreError> {
        let place = Place::new(&self.flow, &self.origin, step, task);
        commit::find_or_set_aside(&self.store, &place).await
    }

    /// The parameters and constants with which the origin began, if they are committed.
    pub async fn find_parameters(&self) -> Result<Option<Commit>, StoreError> {
        self.find(PARAMETERS_STEP, "t").await
    }

    /// Makes a result of the origin that of the same task here, as its attempt 0; the copy.
    pub async fn copy(
        &self,
        step: &str,
        task: &TaskId,
        result: Commit,
    ) -> Result<Commit, StoreError> {
        let place = Place::new(&self.flow, &self.run, step, &task.to_string());
        let mut copy = Commit {
            attempt: 0,
            origin: Some(self.origin.clone()),
            // The flow may have been mended since: no package holds what is run now.
            package: None,
            ..result
        };
        copy.data.attempt = 0;
        copy.data.datastore = self.store.kind().to_owned();
        match commit::claim(&self.store, &place, 0, None).await? {
            Start::Claimed { claim, .. } => copy.claim = claim,
            Start::Committed(winner) => return Ok(*winner),
            Start::Unfinished(_) | Start::Exhausted { .. } => {
                return Err(StoreError::Conflict {
                    object: self.store.locate(&place.prefix),
                });
            }
        }
        if let Some(count) = copy.count {
            let children = commit::to_json(&Split::new(&task.index, count));
            self.store.put(&place.split(), vec![children]).await?;
        }
        commit::record(&self.store, &place, &copy.data).await?;
        commit::commit(&self.store, &place, &copy).await?;
        Ok(copy)
    }

    /// As [`Copier::copy`], for the parameters; what started the run may be said anew.
    pub async fn copy_parameters(
        &self,
        result: Commit,
        triggers: &[Started],
    ) -> Result<Commit, StoreError> {
        let mut result = result;
        if !triggers.is_empty() {
            result.triggers = triggers.to_vec();
        }
        self.copy(PARAMETERS_STEP, &TaskId::default(), result).await
    }

    /// Makes the last iteration of a step that may choose itself again, which was copied before, the one that its
    /// successors find.
    pub async fn point(
        &self,
        step: &str,
        index: &IndexPath,
        iteration: u32,
        last: &Commit,
    ) -> Result<(), StoreError> {
        let pointer = Place::new(&self.flow, &self.run, step, &index.task_id());
        iterations::point(&self.store, &pointer, iteration, last.clone()).await?;
        Ok(())
    }
}
