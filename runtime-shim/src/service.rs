//! What the harness may ask for while user code runs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowc_protocol::conversation::{Input, Object};
use flowc_protocol::exit::Exit;
use serde_json::json;

use crate::cas::{Blobs, Loaded, Verdict};
use crate::elsewhere::Elsewhere;
use crate::error::TaskError;
use crate::secrets::{Hidden, Vault};
use crate::store::StoreError;

/// What the harness may ask for.
pub(crate) struct Service<'a> {
    pub(crate) blobs: &'a Blobs,
    pub(crate) inputs: Vec<Input>,
    pub(crate) spool: &'a Path,
    pub(crate) unverified: Unverified,
    pub(crate) elsewhere: Elsewhere<'a>,
    pub(crate) vault: &'a Vault,
    pub(crate) hidden: &'a Hidden,
}

/// Artifacts that were handed over before they were verified, by the number of the load.
#[derive(Default)]
pub(crate) struct Unverified {
    count: usize,
    pending: BTreeMap<usize, Pending>,
}

struct Pending {
    /// The artifact.
    name: String,
    /// Its blob, if that is of the task's own flow.
    key: Option<String>,
    size: u64,
    verdict: Verdict,
}

impl Service<'_> {
    pub(crate) async fn load(
        &mut self,
        input: usize,
        name: &str,
    ) -> Result<serde_json::Value, TaskError> {
        let object = self
            .inputs
            .get(input)
            .and_then(|input| input.objects.as_ref()?.get(name))
            .ok_or_else(|| {
                TaskError::new(
                    Exit::Configuration,
                    format!("the harness asks for `{name}`, which input {input} does not have"),
                )
            })?;
        let Object { key, size, .. } = object;
        let loaded = match self.blobs.load(key, *size, self.spool).await {
            Ok(loaded) => Ok(loaded),
            Err(error) => Err(self.blobs.set_aside(key, *size, self.spool, error).await),
        };
        let own = Some(key.as_str());
        self.unverified.hand_over(name, own, *size, loaded)
    }

    /// Answers whether what was handed over was what the artifact is.
    pub(crate) async fn check(&mut self, number: usize) -> Result<(), TaskError> {
        let Some(pending) = self.unverified.pending.remove(&number) else {
            return Ok(());
        };
        let Pending {
            name,
            key,
            size,
            verdict,
        } = pending;
        let checked = verdict.await.unwrap_or_else(|error| {
            Err(StoreError::from_io(name.clone(), &io::Error::other(error)))
        });
        match (checked, key) {
            (Ok(()), _) => Ok(()),
            (Err(error), None) => Err(unreadable(&name, error)),
            (Err(error), Some(key)) => {
                let told = self.blobs.set_aside(&key, size, self.spool, error).await;
                Err(unreadable(&name, told))
            }
        }
    }

    /// No result is kept of a task that was given something else than what was stored, even if it never asked.
    pub(crate) async fn check_all(&mut self) -> Result<(), TaskError> {
        while let Some((number, _)) = self.unverified.pending.first_key_value() {
            self.check(*number).await?;
        }
        Ok(())
    }

    /// What the end task of a run that started this one left: the artifacts it has, or one of them.
    pub(crate) async fn elsewhere(
        &mut self,
        trigger: usize,
        name: Option<&str>,
    ) -> Result<serde_json::Value, TaskError> {
        let task = self.elsewhere.task(trigger).await?;
        let Some(name) = name else {
            return Ok(json!({"op": "ok", "objects": task.objects}));
        };
        let Some(object) = task.objects.get(name) else {
            let message = format!("the harness asks for `{name}`, which is not there");
            return Err(TaskError::new(Exit::Configuration, message));
        };
        // Another run's blobs are for that run to mend.
        let loaded = task.blobs.load(&object.key, object.size, self.spool).await;
        let size = object.size;
        self.unverified.hand_over(name, None, size, loaded)
    }
}

impl Unverified {
    /// The answer to a load.
    fn hand_over(
        &mut self,
        name: &str,
        key: Option<&str>,
        size: u64,
        loaded: Result<Loaded, StoreError>,
    ) -> Result<serde_json::Value, TaskError> {
        match loaded {
            Ok(Loaded::Inline(bytes)) => Ok(json!({"op": "ok", "data": STANDARD.encode(bytes)})),
            Ok(Loaded::File(path)) => Ok(json!({"op": "ok", "path": path, "size": size})),
            Ok(Loaded::Unverified(path, verdict)) => {
                self.count += 1;
                let number = self.count;
                let pending = Pending {
                    name: name.to_owned(),
                    key: key.map(str::to_owned),
                    size,
                    verdict,
                };
                self.pending.insert(number, pending);
                Ok(json!({"op": "ok", "path": path, "size": size, "check": number}))
            }
            Err(error) => Err(unreadable(name, error)),
        }
    }
}

fn unreadable(name: &str, error: StoreError) -> TaskError {
    let TaskError { exit, message } = error.into();
    TaskError::new(exit, format!("artifact `{name}` cannot be read: {message}"))
}
