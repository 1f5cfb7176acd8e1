//! One warm interpreter: a Python that has imported what the flow file imports and forks a child for each task.
//!
//! It is spoken to over its standard input, a Unix stream socket (docs/shim-protocol.md, "The warm interpreter").

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flowc_task::launch::{HarnessProcess, LaunchError, LaunchRequest, ProcessExit};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// How a warm interpreter is started.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The interpreter.
    pub python: PathBuf,
    /// `harness.py`.
    pub harness: PathBuf,
    /// The flow file, an absolute path.
    pub file: PathBuf,
    /// What it imports before the first fork, in this order.
    pub modules: Vec<String>,
}

/// What a warm interpreter says about itself.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct About {
    /// Threads that would not survive a fork: if there are any, it must not fork.
    #[serde(default)]
    pub threads: Vec<String>,
    /// `sys.version`.
    #[serde(default)]
    pub python: Option<String>,
    /// `sys.executable`.
    #[serde(default)]
    pub executable: Option<String>,
}

/// A running warm interpreter. Dropping it ends the interpreter, which ends its children.
pub(crate) struct Zygote {
    pub(crate) about: About,
    socket: Arc<UnixStream>,
    sending: tokio::sync::Mutex<()>,
    children: Arc<Children>,
    next: AtomicU64,
    program: String,
    _process: Child,
}

/// Children that were asked for and have not ended.
#[derive(Default)]
struct Children {
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// The interpreter is gone.
    dead: AtomicBool,
}

struct Waiting {
    forked: Option<oneshot::Sender<Result<i32, String>>>,
    exited: oneshot::Sender<ProcessExit>,
}

#[derive(Serialize)]
struct Fork<'a> {
    op: &'static str,
    id: u64,
    environment: serde_json::Map<String, Value>,
    cwd: &'a Path,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Said {
    Forked {
        id: u64,
        pid: i32,
    },
    Failed {
        id: u64,
        message: String,
    },
    Exited {
        id: u64,
        code: Option<i32>,
        signal: Option<i32>,
    },
}

impl Zygote {
    /// Starts an interpreter and waits until it has imported everything.
    pub(crate) async fn start(
        recipe: &Recipe,
        environment: &[(String, String)],
    ) -> Result<Self, LaunchError> {
        let program = recipe.python.display().to_string();
        let broken = |reason: String| LaunchError {
            program: program.clone(),
            reason,
        };
        let (ours, theirs) =
            std::os::unix::net::UnixStream::pair().map_err(|error| broken(error.to_string()))?;
        let mut process = Command::new(&recipe.python)
            .arg(&recipe.harness)
            .arg("zygote")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C on the terminal is for flowc alone, which then ends its tasks in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| broken(error.to_string()))?;
        let socket = ours
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(ours))
            .map_err(|error| broken(error.to_string()))?;
        let preload = json!({"op": "preload", "modules": recipe.modules, "file": recipe.file});
        let said = async {
            send(&socket, &frame(&preload)?, &[]).await?;
            receive(&socket, &mut Vec::new()).await
        };
        let about = match said.await {
            Ok(Some(reply)) => serde_json::from_slice(&reply)
                .map_err(|error| broken(format!("it does not speak our protocol: {error}")))?,
            Ok(None) => return Err(broken(last_words(&mut process).await)),
            Err(error) => {
                let words = last_words(&mut process).await;
                return Err(broken(format!("{words} ({error})")));
            }
        };
        // What it prints from now on is trouble of its own; its children have pipes.
        if let Some(mut stderr) = process.stderr.take() {
            tokio::spawn(async move { tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await });
        }
        let socket = Arc::new(socket);
        let children = Arc::new(Children::default());
        tokio::spawn(listen(Arc::clone(&socket), Arc::clone(&children)));
        Ok(Self {
            about,
            socket,
            sending: tokio::sync::Mutex::default(),
            children,
            next: AtomicU64::new(0),
            program,
            _process: process,
        })
    }

    /// Whether it can still fork.
    pub(crate) fn is_alive(&self) -> bool {
        !self.children.dead.load(Ordering::Acquire)
    }

    /// Forks a child for one task.
    pub(crate) async fn fork(
        &self,
        request: &LaunchRequest,
    ) -> Result<HarnessProcess, LaunchError> {
        let broken = |reason: String| LaunchError {
            program: self.program.clone(),
            reason,
        };
        let io = |error: io::Error| broken(error.to_string());
        let (control, their_control) = std::os::unix::net::UnixStream::pair().map_err(io)?;
        control.set_nonblocking(true).map_err(io)?;
        let (stdout, their_stdout) = pipe().map_err(io)?;
        let (stderr, their_stderr) = pipe().map_err(io)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (forked, pid) = oneshot::channel();
        let (exited, exit) = oneshot::channel();
        self.children.lock().insert(
            id,
            Waiting {
                forked: Some(forked),
                exited,
            },
        );
        let environment = request.environment.iter();
        let message = frame(&Fork {
            op: "fork",
            id,
            environment: environment
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect(),
            cwd: &request.cwd,
        });
        let descriptors = [
            their_control.as_fd(),
            their_stdout.as_fd(),
            their_stderr.as_fd(),
        ];
        let sent = async {
            let _one_at_a_time = self.sending.lock().await;
            send(&self.socket, &message?, &descriptors).await
        };
        if let Err(error) = sent.await {
            self.children.lock().remove(&id);
            return Err(io(error));
        }
        if !self.is_alive() {
            // The listener may have emptied the table before this child was put into it.
            self.children.lock().remove(&id);
        }
        let pid = match pid.await {
            Ok(Ok(pid)) => pid,
            Ok(Err(message)) => return Err(broken(message)),
            Err(_gone) => return Err(broken("the warm interpreter ended".to_owned())),
        };
        Ok(HarnessProcess {
            control: UnixStream::from_std(control).map_err(io)?,
            stdout,
            stderr,
            pid,
            on_terminal: false,
            exit,
        })
    }
}

impl Children {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, said: Said) {
        let mut waiting = self.lock();
        match said {
            Said::Forked { id, pid } => {
                let forked = waiting.get_mut(&id).and_then(|child| child.forked.take());
                if let Some(forked) = forked {
                    // If nobody waits any more, dropping the control socket ends the child.
                    let _ = forked.send(Ok(pid));
                }
            }
            Said::Failed { id, message } => {
                let forked = waiting.remove(&id).and_then(|child| child.forked);
                if let Some(forked) = forked {
                    let _ = forked.send(Err(message));
                }
            }
            Said::Exited { id, code, signal } => {
                if let Some(child) = waiting.remove(&id) {
                    let exit = signal.map_or(
                        ProcessExit::Code(code.unwrap_or_default()),
                        ProcessExit::Signal,
                    );
                    let _ = child.exited.send(exit);
                }
            }
        }
    }
}

/// Hears what the interpreter says until it ends; then nobody waits for its children any longer.
async fn listen(socket: Arc<UnixStream>, children: Arc<Children>) {
    let mut buffer = Vec::new();
    while let Ok(Some(said)) = receive(&socket, &mut buffer).await {
        match serde_json::from_slice(&said) {
            Ok(said) => children.heard(said),
            Err(_) => break,
        }
    }
    children.dead.store(true, Ordering::Release);
    children.lock().clear();
}

/// The end of what a dying interpreter printed.
async fn last_words(process: &mut Child) -> String {
    use tokio::io::AsyncReadExt;
    let mut text = Vec::new();
    if let Some(mut stderr) = process.stderr.take() {
        // It is dying, so this ends; what cannot be read is not worth a second error.
        let _ = stderr.read_to_end(&mut text).await;
    }
    let text = String::from_utf8_lossy(&text);
    let text = text.trim();
    if text.is_empty() {
        "it ended at once".to_owned()
    } else {
        format!("it ended at once and said: {text}")
    }
}

/// A pipe whose reading end is ours; both ends are closed in other children.
fn pipe() -> io::Result<(tokio::net::unix::pipe::Receiver, OwnedFd)> {
    let (read, write) = std::io::pipe()?;
    let read = tokio::net::unix::pipe::Receiver::from_owned_fd(read.into())?;
    Ok((read, write.into()))
}

/// Length and JSON.
fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

/// Sends bytes; the descriptors go with the first of them.
async fn send(
    socket: &UnixStream,
    mut bytes: &[u8],
    mut descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    while !bytes.is_empty() {
        let send_some = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty()
                && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
            {
                return Err(io::Error::other("too many descriptors for one message"));
            }
            let data = [IoSlice::new(bytes)];
            rustix::net::sendmsg(socket, &data, &mut ancillary, SendFlags::NOSIGNAL)
                .map_err(io::Error::from)
        };
        let sent = socket.async_io(Interest::WRITABLE, send_some).await?;
        bytes = &bytes[sent..];
        descriptors = &[];
    }
    Ok(())
}

/// Receives one frame; `None` at the end of file. `buffer` keeps what came after it.
async fn receive(socket: &UnixStream, buffer: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(length) = buffer.first_chunk() {
            let end = 4 + u32::from_be_bytes(*length) as usize;
            if buffer.len() >= end {
                let message = buffer[4..end].to_vec();
                buffer.drain(..end);
                return Ok(Some(message));
            }
        }
        socket.readable().await?;
        match socket.try_read_buf(buffer) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
