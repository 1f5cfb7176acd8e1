//! The values of artifacts: fetched and verified here, unpickled by Python.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use flowc_local::interpreter;
use flowc_task::cas::{Blobs, Loaded};
use flowc_task::harness;
use flowc_task::store::Store;
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::place::variable;
use crate::question;
use crate::run::session::cache;

/// Artifacts that are fetched at a time.
const CONCURRENT: usize = 16;

/// An artifact whose value is wanted.
pub(crate) struct Wanted {
    /// `Flow/run/step/task`
    pub(crate) task: String,
    pub(crate) name: String,
    /// The sha1 of its pickle.
    pub(crate) key: String,
    /// Of the pickle, bytes.
    pub(crate) size: u64,
}

/// What Python made of an artifact.
pub(crate) enum Answer {
    Told {
        /// Its `repr`.
        text: String,
        /// The value, where JSON holds it as it is.
        value: Option<Value>,
    },
    /// Why it cannot be read.
    Failed(String),
}

impl Answer {
    /// Adds it to what is told of the artifact.
    pub(crate) fn enter(&self, told: &mut Value) {
        match self {
            Self::Told { text, value } => {
                told["text"] = text.as_str().into();
                if let Some(value) = value {
                    told["value"] = value.clone();
                }
            }
            Self::Failed(error) => told["error"] = error.as_str().into(),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    text: Option<String>,
    error: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
}

/// Tells `null` from nothing.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads artifacts of a store.
pub(crate) struct Reader<'a> {
    store: &'a Store,
    python: PathBuf,
    harness: PathBuf,
    /// Pickles lie here while Python reads them.
    spool: tempfile::TempDir,
}

impl<'a> Reader<'a> {
    /// Finds Python: the one that is named, else the one that runs tasks.
    pub(crate) fn find(named: Option<&OsStr>, store: &'a Store) -> anyhow::Result<Self> {
        let mut python = interpreter::choose(named, &variable)?;
        let cwd = std::env::current_dir().context("cannot tell the current folder")?;
        python.resolve(&cwd, &variable);
        let spool = tempfile::Builder::new()
            .prefix("flowc-dump-")
            .tempdir()
            .context("cannot make a folder for values")?;
        let harness = harness::install(&cache(&variable))
            .or_else(|_| harness::install(spool.path()))
            .context("cannot write the harness")?;
        Ok(Self {
            store,
            python: python.program,
            harness,
            spool,
        })
    }

    /// What each artifact is, in order.
    pub(crate) async fn tell(&self, wanted: &[Wanted]) -> anyhow::Result<Vec<Answer>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let lines = self.ask(wanted, None).await?;
        if lines.len() != wanted.len() {
            bail!(
                "{} ended before it had read all values",
                self.python.display()
            );
        }
        let answers = lines.into_iter().map(|line| match (line.text, line.error) {
            (Some(text), _) => Answer::Told {
                text,
                value: line.value,
            },
            (None, error) => Answer::Failed(error.unwrap_or_default()),
        });
        Ok(answers.collect())
    }

    /// Saves the artifacts to a file.
    pub(crate) async fn save(&self, wanted: &[Wanted], file: &Path) -> anyhow::Result<()> {
        let mut lines = self.ask(wanted, Some(file)).await?;
        match lines.pop() {
            Some(Line { error: None, .. }) => Ok(()),
            Some(Line {
                error: Some(error), ..
            }) => bail!("nothing was saved: {error}"),
            None => bail!("{} ended before anything was saved", self.python.display()),
        }
    }

    async fn ask(&self, wanted: &[Wanted], file: Option<&Path>) -> anyhow::Result<Vec<Line>> {
        let fetches = wanted.iter().enumerate().map(|(at, wanted)| async move {
            let path = self.fetch(at, wanted).await?;
            // Metaflow names a task without its flow.
            let task = wanted.task.split_once('/').map_or("", |(_, task)| task);
            anyhow::Ok(json!({"task": task, "name": wanted.name, "path": path}))
        });
        let artifacts: Vec<Value> = futures::stream::iter(fetches)
            .buffered(CONCURRENT)
            .try_collect()
            .await?;
        let request = json!({"artifacts": artifacts, "file": file});
        let said = question::ask(&self.python, &self.harness, "show", &request).await?;
        let mut lines = Vec::new();
        for line in said.split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                lines.push(serde_json::from_slice(line).context("Python's answer is no JSON")?);
            }
        }
        Ok(lines)
    }

    /// Makes a file of an artifact's pickle.
    async fn fetch(&self, at: usize, wanted: &Wanted) -> anyhow::Result<PathBuf> {
        let flow = wanted.task.split('/').next().unwrap_or_default();
        let blobs = Blobs::new(self.store, flow);
        let spool = self.spool.path();
        let loaded = blobs.load(&wanted.key, wanted.size, spool).await;
        let what = || format!("cannot read `{}` of {}", wanted.name, wanted.task);
        match loaded.with_context(what)? {
            Loaded::Inline(bytes) => {
                let path = spool.join(at.to_string());
                fs::write(&path, bytes).with_context(what)?;
                Ok(path)
            }
            Loaded::File(path) => Ok(path),
            Loaded::Unverified(path, verdict) => {
                verdict.await.with_context(what)?.with_context(what)?;
                Ok(path)
            }
        }
    }
}
