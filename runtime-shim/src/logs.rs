//! What user code prints: passed on line by line and kept in the store in Metaflow's format.
//!
//! A line is `[MFLOG|0|<UTC time>Z|task|<id>]<text>`.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::secrets::{Hidden, Hider};
use crate::store::{Store, StoreError};
use crate::task::Stream;

/// A log is cut here, bytes of text.
const SIZE_MAX: usize = 10 << 20;

/// A line without an end is broken here, bytes; bounds the memory of a progress bar that never ends its line.
const LINE_MAX: usize = 1 << 20;

/// First flush into a bucket, and the longest pause between two.
const FLUSH_FIRST: Duration = Duration::from_secs(10);
const FLUSH_MAX: Duration = Duration::from_mins(1);

/// How long output is read after the processes have ended: a daemon that left their group may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_secs(2);

/// One stream of one attempt.
pub(crate) struct Log<'a> {
    store: &'a Store,
    key: String,
    stream: Stream,
    hidden: &'a Hidden,
    /// What is not written yet.
    text: Vec<u8>,
    /// What was written to a bucket, which cannot append and gets it all again.
    written: Vec<Bytes>,
    size: usize,
    is_cut: bool,
    is_dirty: bool,
    next_id: u128,
    pause: Duration,
    next_flush: Option<Instant>,
    /// The first failure to write; the log is not worth failing the task for.
    failed: Option<StoreError>,
}

impl<'a> Log<'a> {
    pub(crate) fn new(store: &'a Store, key: String, stream: Stream, hidden: &'a Hidden) -> Self {
        Self {
            store,
            key,
            stream,
            hidden,
            text: Vec::new(),
            written: Vec::new(),
            size: 0,
            is_cut: false,
            is_dirty: false,
            next_id: uuid::Uuid::new_v4().as_u128(),
            pause: FLUSH_FIRST,
            next_flush: None,
            failed: None,
        }
    }

    /// Reads until the pipe ends, or a little after `over` says that everything in the task's process group has.
    pub(crate) async fn pump(
        &mut self,
        mut pipe: pipe::Receiver,
        mut over: watch::Receiver<bool>,
        hear: &(dyn Fn(Stream, &[u8]) + Send + Sync),
    ) {
        let mut buffer = vec![0; 16 << 10];
        let mut line = Vec::new();
        let mut hider = Hider::new(self.hidden);
        let mut deadline: Option<Instant> = None;
        loop {
            let flush = self.next_flush;
            tokio::select! {
                read = pipe.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        self.take(&mut line, hider.pass(&buffer[..length]), hear);
                        if self.store.local_root().is_some() {
                            self.append().await;
                        } else if self.next_flush.is_none() {
                            self.next_flush = Some(Instant::now() + self.pause);
                        }
                    }
                },
                () = sleep_until(flush), if flush.is_some() => {
                    self.upload().await;
                    self.pause = (self.pause * 2).min(FLUSH_MAX);
                    self.next_flush = None;
                }
                () = async { drop(over.wait_for(|over| *over).await) }, if deadline.is_none() => {
                    deadline = Some(Instant::now() + DRAIN);
                }
                () = sleep_until(deadline), if deadline.is_some() => break,
            }
        }
        self.take(&mut line, hider.end(), hear);
        if !line.is_empty() {
            self.line(&line, hear);
        }
    }

    /// Adds a line of our own.
    pub(crate) fn note(&mut self, text: &str) {
        self.record(text.as_bytes());
    }

    /// Writes what is not written yet.
    pub(crate) async fn finish(&mut self) {
        if self.store.local_root().is_some() {
            self.append().await;
        } else {
            self.upload().await;
        }
    }

    /// Why the log could not be written, if so.
    pub(crate) fn failure(&self) -> Option<&StoreError> {
        self.failed.as_ref()
    }

    fn take(
        &mut self,
        line: &mut Vec<u8>,
        mut bytes: &[u8],
        hear: &(dyn Fn(Stream, &[u8]) + Send + Sync),
    ) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            self.line(line, hear);
            line.clear();
        }
        line.extend_from_slice(bytes);
        if line.len() >= LINE_MAX {
            self.line(line, hear);
            line.clear();
        }
    }

    fn line(&mut self, line: &[u8], hear: &(dyn Fn(Stream, &[u8]) + Send + Sync)) {
        hear(self.stream, line);
        if self.is_cut {
            return;
        }
        if self.size + line.len() > SIZE_MAX {
            self.is_cut = true;
            self.record(b"[flowc: this log is cut here, at 10 MB]");
            return;
        }
        self.record(line);
    }

    fn record(&mut self, line: &[u8]) {
        let before = self.text.len();
        // Ids need only differ within a task.
        self.next_id = self.next_id.wrapping_add(1);
        let id = uuid::Builder::from_random_bytes(self.next_id.to_be_bytes()).into_uuid();
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f");
        self.text
            .extend_from_slice(format!("[MFLOG|0|{now}Z|task|{id}]").as_bytes());
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
        self.size += self.text.len() - before;
        self.is_dirty = true;
    }

    async fn append(&mut self) {
        if !self.is_dirty || self.failed.is_some() {
            return;
        }
        self.is_dirty = false;
        self.failed = self.store.append(&self.key, &self.text).await.err();
        self.text.clear();
    }

    async fn upload(&mut self) {
        if !self.is_dirty {
            return;
        }
        self.is_dirty = false;
        self.written.push(std::mem::take(&mut self.text).into());
        self.failed = self.store.put(&self.key, self.written.clone()).await.err();
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
