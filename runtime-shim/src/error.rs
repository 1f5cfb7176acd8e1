//! Why a task could not be run or recorded.

use flowc_protocol::exit::Exit;

use crate::launch::LaunchError;
use crate::store::StoreError;

/// A failure that is not user code's, with the exit code by which the orchestrator decides what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TaskError {
    /// For the orchestrator.
    pub exit: Exit,
    /// One line for people: what happened to which object, and what to do.
    pub message: String,
}

impl TaskError {
    /// From its parts.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        Self::new(error.exit(), error.to_string())
    }
}

impl From<LaunchError> for TaskError {
    fn from(error: LaunchError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}
