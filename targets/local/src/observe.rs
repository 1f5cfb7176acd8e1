//! Passes on what tasks do: to the reporter at once, to the metadata tree by a thread of its own, so that no task waits for it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use flowc_protocol::exit::Exit;
use flowc_protocol::identity::TaskId;
use flowc_protocol::manifest::Manifest;
use flowc_task::metadata::{Attempt, MetadataTree, Node, foreach_path};
use flowc_task::task::{Observer, Stream, TaskReport, TaskRequest};
use serde_json::Value;

use crate::report::Reporter;

/// Something to enter into the metadata tree.
pub(crate) enum Entry {
    /// An attempt starts.
    Started {
        step: String,
        task: TaskId,
        attempt: u32,
        gang: Option<Node>,
    },
    /// An attempt ended with this `data.json`.
    Ended {
        step: String,
        task: TaskId,
        attempt: u32,
        record: Value,
        ok: bool,
        gang: Option<Node>,
    },
    /// A task was taken over from the run that this one resumes.
    Copied {
        step: String,
        task: TaskId,
        record: Value,
        gang: Option<Node>,
    },
    /// The `data.json` of the pseudo task `_parameters`.
    Parameters(Value),
    /// The same, taken over.
    CopiedParameters(Value),
}

/// The thread that writes the metadata tree.
pub(crate) struct Scribe {
    entries: Sender<Entry>,
    thread: JoinHandle<io::Result<()>>,
}

impl Scribe {
    pub(crate) fn start(tree: MetadataTree, manifest: Arc<Manifest>) -> Self {
        let (entries, incoming) = mpsc::channel();
        let thread = std::thread::spawn(move || write(&tree, &manifest, &incoming));
        Self { entries, thread }
    }

    pub(crate) fn entries(&self) -> Sender<Entry> {
        self.entries.clone()
    }

    /// Waits until everything is written; all other senders must be gone.
    pub(crate) async fn finish(self) -> io::Result<()> {
        drop(self.entries);
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join());
        match joined.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(io::Error::other("the thread that writes it panicked")),
        }
    }
}

/// Writes entries until nobody can send any more, and returns the first error; later entries are tried all the same.
fn write(tree: &MetadataTree, manifest: &Manifest, entries: &Receiver<Entry>) -> io::Result<()> {
    let mut result = Ok(());
    for entry in entries {
        let written = match &entry {
            Entry::Parameters(record) => tree.parameters(manifest, record),
            Entry::CopiedParameters(record) => tree.copied_parameters(manifest, record),
            Entry::Copied {
                step,
                task,
                record,
                gang,
            } => {
                let attempt = Attempt {
                    step,
                    task: &task.to_string(),
                    number: 0,
                    path: &foreach_path(manifest, step, &task.index),
                    gang: *gang,
                };
                tree.copied(attempt, record)
            }
            Entry::Started {
                step,
                task,
                attempt,
                gang,
            } => {
                let path = foreach_path(manifest, step, &task.index);
                tree.started(Attempt {
                    step,
                    task: &task.to_string(),
                    number: *attempt,
                    path: &path,
                    gang: *gang,
                })
            }
            Entry::Ended {
                step,
                task,
                attempt,
                record,
                ok,
                gang,
            } => {
                let path = foreach_path(manifest, step, &task.index);
                let attempt = Attempt {
                    step,
                    task: &task.to_string(),
                    number: *attempt,
                    path: &path,
                    gang: *gang,
                };
                tree.ended(attempt, record, *ok)
            }
        };
        result = result.and(written);
    }
    match tree.hidden() {
        0 => result,
        hidden => result.and(Err(io::Error::new(
            io::ErrorKind::InvalidFilename,
            format!("{hidden} artifacts have names that no file can have"),
        ))),
    }
}

/// The observer of all tasks of a run.
pub(crate) struct Observed {
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) entries: Sender<Entry>,
}

impl Observed {
    /// Enters the pseudo task `_parameters`.
    pub(crate) fn parameters(&self, record: Value) {
        self.enter(Entry::Parameters(record));
    }

    pub(crate) fn enter(&self, entry: Entry) {
        // The thread ends only after all senders, or by a panic that `finish` reports.
        let _ = self.entries.send(entry);
    }
}

impl Observer for Observed {
    fn started(&self, request: &TaskRequest, attempt: u32) {
        self.enter(Entry::Started {
            step: request.step.clone(),
            task: request.task_id(),
            attempt,
            gang: node(request),
        });
    }

    fn line(&self, request: &TaskRequest, stream: Stream, line: &[u8]) {
        self.reporter
            .line(&request.step, &request.task_id(), stream, line);
    }

    fn ended(&self, request: &TaskRequest, report: &TaskReport, record: Option<&Value>) {
        let Some(record) = record else {
            return;
        };
        let written = record.get("attempt").and_then(Value::as_u64);
        self.enter(Entry::Ended {
            step: request.step.clone(),
            task: request.task_id(),
            attempt: report
                .attempt
                .or(written.map(|number| number as u32))
                .unwrap_or_default(),
            record: record.clone(),
            ok: report.exit == Exit::Done,
            gang: node(request),
        });
    }
}

/// What the task is in its gang.
fn node(request: &TaskRequest) -> Option<Node> {
    let gang = request.gang.as_ref()?;
    Some(Node {
        nodes: gang.nodes(),
        is_control: request.index.indices().last() == Some(&0),
    })
}
