//! Starting the process that runs user code.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

/// What the process needs to be told before it speaks the shim protocol.
#[derive(Clone, Debug)]
pub struct LaunchRequest {
    /// Working folder of user code.
    pub cwd: PathBuf,
    /// Variables that are set on top of the launcher's environment.
    pub environment: Vec<(String, String)>,
    /// Names the task in messages: `train/t-3`.
    pub label: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// A running harness. Dropping `control` makes it end by itself.
pub struct HarnessProcess {
    /// Frames of the shim protocol.
    pub control: UnixStream,
    /// What user code prints.
    pub stdout: pipe::Receiver,
    /// What user code prints on standard error.
    pub stderr: pipe::Receiver,
    /// Leader of a process group of its own.
    pub pid: i32,
    /// Resolves once the process has been reaped; an error means the launcher died.
    pub exit: oneshot::Receiver<ProcessExit>,
}

/// The process could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {program}: {reason}")]
pub struct LaunchError {
    /// The interpreter.
    pub program: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Starts harness processes: a fresh interpreter each time, or a fork of a warm one.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Starts one process.
    async fn launch(&self, request: LaunchRequest) -> Result<HarnessProcess, LaunchError>;
}
