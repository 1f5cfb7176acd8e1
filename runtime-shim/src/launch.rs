//! Starting the process that runs user code.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::Command;
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
    /// No other task runs at the same time because this one does, as in a gang.
    pub alone: bool,
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
    /// Its id; it leads a process group of its own unless it has the terminal.
    pub pid: i32,
    /// Standard input is the terminal, and what it prints has been shown there; it is in the group of whoever started it.
    pub on_terminal: bool,
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

/// Starts a fresh interpreter for each task.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The Python interpreter: a path, or a name to be found on the path.
    pub python: PathBuf,
    /// Entry of the harness, see [`crate::harness::install`].
    pub harness: PathBuf,
    /// What user code has for standard input and output.
    pub streams: Streams,
}

/// What user code has for standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// An empty input, and pipes.
    Pipes,
    /// The terminal, for tasks that run alone; the others have pipes. What Python prints goes to the pipes as well.
    Terminal,
}

#[async_trait]
impl Launcher for Interpreter {
    async fn launch(&self, request: LaunchRequest) -> Result<HarnessProcess, LaunchError> {
        self.start(&request).map_err(|error| LaunchError {
            program: format!("the Python interpreter `{}`", self.python.display()),
            reason: if error.kind() == io::ErrorKind::NotFound && request.cwd.is_dir() {
                "there is no such program; install Python or set FLOWC_PYTHON".to_owned()
            } else {
                format!("{error} (in {})", request.cwd.display())
            },
        })
    }
}

impl Interpreter {
    fn start(&self, request: &LaunchRequest) -> io::Result<HarnessProcess> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (stdout, stdout_writer) = io::pipe()?;
        let (stderr, stderr_writer) = io::pipe()?;
        let on_terminal = self.streams == Streams::Terminal && request.alone;
        let mut command = Command::new(&self.python);
        command.arg(&self.harness).arg("task");
        if on_terminal {
            // Only the group of the terminal's foreground, which is ours, may read from it.
            command.arg("terminal");
        } else {
            command.process_group(0);
        }
        let mut child = command
            .current_dir(&request.cwd)
            .envs(
                request
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(stdout_writer)
            .stderr(stderr_writer)
            .spawn()?;
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .ok_or_else(|| io::Error::other("it ended at once"))?;
        let (sender, exit) = oneshot::channel();
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                let ended = match (status.code(), status.signal()) {
                    (Some(code), _) => ProcessExit::Code(code),
                    (None, signal) => ProcessExit::Signal(signal.unwrap_or_default()),
                };
                // The task may have stopped listening.
                let _ = sender.send(ended);
            }
        });
        Ok(HarnessProcess {
            control: UnixStream::from_std(ours)?,
            stdout: pipe::Receiver::from_owned_fd(stdout.into())?,
            stderr: pipe::Receiver::from_owned_fd(stderr.into())?,
            pid,
            on_terminal,
            exit,
        })
    }
}
