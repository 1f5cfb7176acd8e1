//! Artifacts of other flows: of the runs that started this one.

use std::collections::{BTreeMap, HashMap};

use flowc_protocol::conversation::Object;
use flowc_protocol::exit::Exit;
use flowc_protocol::trigger::{Kind, Started};

use crate::cas::Blobs;
use crate::commit::{self, Place};
use crate::error::TaskError;
use crate::inputs;
use crate::store::Store;

/// The runs that started this one, each read when it is asked for.
pub(crate) struct Elsewhere<'a> {
    store: &'a Store,
    triggers: &'a [Started],
    read: HashMap<usize, Task>,
}

/// A task of another flow: its blobs are below that flow's folder.
pub(crate) struct Task {
    pub(crate) blobs: Blobs,
    pub(crate) objects: BTreeMap<String, Object>,
}

impl<'a> Elsewhere<'a> {
    pub(crate) fn new(store: &'a Store, triggers: &'a [Started]) -> Self {
        let read = HashMap::new();
        Self {
            store,
            triggers,
            read,
        }
    }

    /// The end task of the run that is the `number`th trigger.
    pub(crate) async fn task(&mut self, number: usize) -> Result<&Task, TaskError> {
        let refuse = |message: String| TaskError::new(Exit::Configuration, message);
        let one = self.triggers.get(number);
        let run = one.filter(|one| one.kind == Kind::Run);
        let Some(pathspec) = run.and_then(|run| run.id.as_deref()) else {
            return Err(refuse(format!("no run is trigger {number} of this one")));
        };
        let parts: Vec<&str> = pathspec.split('/').collect();
        let [flow, run, step, task] = parts[..] else {
            return Err(refuse(format!("`{pathspec}` is no task")));
        };
        if !self.read.contains_key(&number) {
            let place = Place::new(flow, run, step, task);
            let Some(commit) = commit::find(self.store, &place).await? else {
                return Err(refuse(format!(
                    "the run {flow}/{run}, which started this one, is not in {} any more",
                    self.store.url()
                )));
            };
            let task = Task {
                blobs: Blobs::new(self.store, flow),
                objects: inputs::objects(&commit),
            };
            self.read.insert(number, task);
        }
        self.read
            .get(&number)
            .ok_or_else(|| refuse(format!("`{pathspec}` is no task")))
    }
}
