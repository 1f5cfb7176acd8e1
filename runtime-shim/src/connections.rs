//! The connections of one task: that which its harness began with, and those that it makes later.
//!
//! A process that user code forked makes one of its own before it asks for an artifact, and so does the task whose
//! descriptor user code has closed.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowc_protocol::conversation::FromHarness;
use serde::Serialize;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::wire;

/// Name of the socket in the task's spool folder.
const DOOR: &str = "door";

/// The writing half of a connection.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Mutex<OwnedWriteHalf>>);

impl Answers {
    /// Writes one frame.
    pub(crate) async fn write(&self, frame: &impl Serialize) -> io::Result<()> {
        wire::write(&mut *self.0.lock().await, frame).await
    }
}

/// A frame, and where its answer goes.
pub(crate) struct Heard {
    pub(crate) frame: io::Result<FromHarness>,
    pub(crate) answers: Answers,
}

/// All connections of a task. Dropping them closes them.
pub(crate) struct Connections {
    heard: mpsc::Receiver<Heard>,
    /// Held while new connections may come.
    sender: Option<mpsc::Sender<Heard>>,
    /// Reads from the first connection.
    _reader: JoinSet<()>,
    /// Takes further connections, and reads from them.
    door: JoinSet<()>,
    /// The first connection.
    pub(crate) first: Answers,
}

impl Connections {
    pub(crate) fn new(reader: OwnedReadHalf, writer: OwnedWriteHalf) -> Self {
        let (sender, heard) = mpsc::channel(16);
        let first = Answers(Arc::new(Mutex::new(writer)));
        let mut readers = JoinSet::new();
        let (answers, frames) = (first.clone(), sender.clone());
        readers.spawn(async move {
            if let Err(error) = forward(reader, &answers, &frames).await {
                let frame = Err(error);
                // If nobody listens, the task is over.
                let _ = frames.send(Heard { frame, answers }).await;
            }
        });
        Self {
            heard,
            sender: Some(sender),
            _reader: readers,
            door: JoinSet::new(),
            first,
        }
    }

    /// Lets the harness make further connections, by a socket in the folder; its path, where there can be one.
    pub(crate) fn open_door(&mut self, folder: &Path) -> Option<PathBuf> {
        let path = folder.join(DOOR);
        let listener = bind(&path)?;
        let sender = self.sender.clone()?;
        self.door.spawn(async move {
            let mut readers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (reader, answers) = halves(stream);
                let sender = sender.clone();
                readers.spawn(async move {
                    // A process may be killed in the middle of a frame: that is not the task's failure.
                    let _ = forward(reader, &answers, &sender).await;
                });
                while readers.try_join_next().is_some() {}
            }
        });
        Some(path)
    }

    /// The next frame; `None` when the process has ended and everything that it sent was heard.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// Called when the process has ended: what is still to be heard comes over the first connection.
    pub(crate) fn close_door(&mut self) {
        self.sender = None;
        self.door.abort_all();
    }
}

fn halves(stream: UnixStream) -> (OwnedReadHalf, Answers) {
    let (reader, writer) = stream.into_split();
    (reader, Answers(Arc::new(Mutex::new(writer))))
}

/// Best effort: there are file systems without sockets.
fn bind(path: &Path) -> Option<UnixListener> {
    if let Ok(listener) = UnixListener::bind(path) {
        return Some(listener);
    }
    // The kernel takes paths of about a hundred bytes.
    let folder = std::fs::File::open(path.parent()?).ok()?;
    let short = format!("/proc/self/fd/{}/{DOOR}", folder.as_raw_fd());
    UnixListener::bind(short).ok()
}

/// Hands on the frames of a connection until it ends; an error is one that cannot be read.
async fn forward(
    mut reader: OwnedReadHalf,
    answers: &Answers,
    sender: &mpsc::Sender<Heard>,
) -> io::Result<()> {
    while let Some(frame) = wire::read(&mut reader).await? {
        let heard = Heard {
            frame: Ok(frame),
            answers: answers.clone(),
        };
        if sender.send(heard).await.is_err() {
            break;
        }
    }
    Ok(())
}
