//! Whether what a run has left is still there. Steps and exit hooks can remove the store below a run, and a run of which
//! nothing is kept must not be called a success.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowc_protocol::identity::{PARAMETERS_STEP, TaskId, blob_key};
use flowc_task::commit::{self, Place};
use flowc_task::store::{Store, StoreError, is_still, open_folder};

/// What a run leaves.
#[derive(Debug)]
pub struct Kept {
    store: Store,
    flow: String,
    run: String,
    /// The run's folder, of data where the store is a folder and of metadata in any case.
    path: PathBuf,
    /// The same since it was made, held open so that no other folder can look the same.
    folder: Option<File>,
    /// What has committed, in its order.
    tasks: Mutex<Vec<(String, TaskId)>>,
}

impl Kept {
    pub(crate) fn new(store: &Store, flow: &str, run: &str, root: &Path) -> Self {
        let path = root.join(flow).join(run);
        Self {
            store: store.clone(),
            flow: flow.to_owned(),
            run: run.to_owned(),
            folder: open_folder(&path).ok(),
            path,
            tasks: Mutex::default(),
        }
    }

    /// A task has committed.
    pub(crate) fn committed(&self, step: &str, task: TaskId) {
        self.lock().push((step.to_owned(), task));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, TaskId)>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the run's folder. If it is not what it was, the reason why nothing that follows can count.
    pub(crate) fn look(&self) -> Result<(), String> {
        let is_there = |folder: &File| is_still(folder, &self.path);
        if self.store.local_root().is_none() || self.folder.as_ref().is_none_or(is_there) {
            return Ok(());
        }
        Err(format!(
            "the run's folder {} was removed or replaced while it ran, and what was in it is lost",
            self.path.display()
        ))
    }

    /// Whether Metaflow's client finds the run, where that looks into another place than the store.
    pub fn is_visible(&self) -> bool {
        let is_there = |folder: &File| is_still(folder, &self.path);
        self.folder.as_ref().is_none_or(is_there)
    }

    /// Looks for what the run has left, once it is over; the inner error says what is not there any more.
    ///
    /// In a folder each result is looked for; in a bucket, where each look is a request, the first and the last. Of the
    /// last one the artifacts have to be there too.
    pub async fn check(&self) -> Result<Result<(), String>, StoreError> {
        if let Err(lost) = self.look() {
            return Ok(Err(lost));
        }
        let tasks = self.lock().clone();
        let Some(last) = tasks.last().cloned() else {
            return Ok(Ok(()));
        };
        let is_folder = self.store.local_root().is_some();
        let mut wanted = vec![(PARAMETERS_STEP.to_owned(), TaskId::default())];
        if is_folder {
            wanted.extend(tasks);
        } else {
            wanted.push(last.clone());
        }
        for (step, task) in &wanted {
            let key = self.place(step, task).commit();
            if !self.store.exists(&key).await? {
                return Ok(Err(self.gone(&key)));
            }
        }
        let (step, task) = &last;
        let found = commit::find(&self.store, &self.place(step, task)).await?;
        for key in found.iter().flat_map(|found| found.data.objects.values()) {
            let key = blob_key(&self.flow, key);
            if !self.store.exists(&key).await? {
                return Ok(Err(self.gone(&key)));
            }
        }
        Ok(Ok(()))
    }

    fn place(&self, step: &str, task: &TaskId) -> Place {
        Place::new(&self.flow, &self.run, step, &task.to_string())
    }

    fn gone(&self, key: &str) -> String {
        format!(
            "{} was removed after it had been written, and what the run has left is not whole",
            self.store.locate(key)
        )
    }
}
