//! What a run tells whoever watches it.

use std::sync::Arc;

use flowc_protocol::identity::TaskId;
use flowc_task::task::Stream;

use crate::resume::Adoption;
use crate::schedule::Watcher;

/// Hears all of a run: besides what the scheduler does, what the run is called and what user code prints.
pub trait Reporter: Watcher {
    /// The run has its id; nothing has started yet.
    fn named(&self, _run: &str) {}
    /// The run resumes another one: what was taken over from it, and why the rest was not.
    fn adopted(&self, _adoption: &Adoption) {}
    /// User code printed a line; without its line end, not necessarily UTF-8.
    fn line(&self, _step: &str, _task: &TaskId, _stream: Stream, _line: &[u8]) {}
    /// Something went wrong that does not end the run.
    fn trouble(&self, _text: &str) {}
    /// The same as a watcher.
    fn into_watcher(self: Arc<Self>) -> Arc<dyn Watcher>;
}
