//! The artifacts that a task leaves.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowc_protocol::conversation::{Artifact, Input, Object};
use flowc_protocol::exit::Exit;
use flowc_protocol::known::{Known, key_of};
use futures::{StreamExt, TryStreamExt};
use indexmap::IndexMap;

use crate::cas::{Blobs, blocking};
use crate::commit::Info;
use crate::digest::Growing;
use crate::error::TaskError;
use crate::store::StoreError;

/// Small blobs that are put at a time.
const CONCURRENT: usize = 32;

/// Small blobs are put together until this many bytes wait; bounds the memory.
const WAITING_MAX: usize = 4 << 20;

/// Opened by `pickle.loads` by all readers of Metaflow, old and new, whether or not the blob is gzip.
const ENCODING: &str = "gzip+pickle-v4";

/// Takes artifacts and saves their blobs.
pub(crate) struct Outputs<'a> {
    blobs: &'a Blobs,
    known: &'a Known,
    /// Whether the known blobs are in the store already.
    known_saved: bool,
    pub(crate) objects: IndexMap<String, String>,
    pub(crate) info: IndexMap<String, Info>,
    waiting: IndexMap<String, Vec<u8>>,
    waiting_size: usize,
    /// The spool file that the harness is writing.
    growing: Option<Growing>,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(blobs: &'a Blobs, known: &'a Known, known_saved: bool) -> Self {
        Self {
            blobs,
            known,
            known_saved,
            objects: IndexMap::new(),
            info: IndexMap::new(),
            waiting: IndexMap::new(),
            waiting_size: 0,
            growing: None,
        }
    }

    /// Hands over what was taken so far, and starts anew.
    pub(crate) fn split_off(&mut self) -> Self {
        let fresh = Self::new(self.blobs, self.known, self.known_saved);
        std::mem::replace(self, fresh)
    }

    /// Hashes what a spool file holds so far, while the harness writes on.
    pub(crate) async fn spooled(
        &mut self,
        path: &Path,
        size: u64,
        spool: &Path,
    ) -> Result<(), TaskError> {
        in_spool(path, spool)?;
        let known = self.growing.take().filter(|known| known.path() == path);
        let advance = move |path: &Path| {
            let mut growing = match known {
                Some(known) => known,
                None => Growing::open(path)?,
            };
            growing.advance(size)?;
            Ok(growing)
        };
        // What cannot be read now is hashed as a whole, and then the trouble is told.
        self.growing = blocking(path, advance).await.ok();
        Ok(())
    }

    /// Takes one artifact as the harness describes it.
    pub(crate) async fn take(
        &mut self,
        artifact: Artifact,
        inputs: &[Input],
        spool: &Path,
    ) -> Result<(), TaskError> {
        let Artifact {
            name,
            ty,
            data,
            path,
            size,
            input,
            from,
        } = artifact;
        let ty = ty.unwrap_or_default();
        match (data, path, size, input, from) {
            (Some(data), None, None, None, None) => {
                let pickle = STANDARD
                    .decode(data)
                    .map_err(|error| broken(&format!("artifact `{name}` is no base64: {error}")))?;
                self.small(&name, ty, pickle, inputs).await
            }
            (None, Some(path), Some(size), None, None) => {
                let path = Path::new(&path);
                in_spool(path, spool)?;
                let begun = self.growing.take().filter(|begun| begun.path() == path);
                let key = self.blobs.put_spool(path, begun).await?;
                self.enter(name, key, ty, size);
                Ok(())
            }
            (None, None, None, Some(input), Some(from)) => {
                let object = inputs
                    .get(input)
                    .and_then(|input| input.objects.as_ref()?.get(&from))
                    .ok_or_else(|| broken(&format!("input {input} has no artifact `{from}`")))?;
                let Object {
                    key,
                    size,
                    ty,
                    encoding: _,
                } = object.clone();
                self.enter(name, key, ty, size);
                Ok(())
            }
            _ => Err(broken(&format!(
                "artifact `{name}` has none or several of data, path and input"
            ))),
        }
    }

    /// Takes a small pickle. What user code read and left as it was is in the store already, since a parent's commit says so.
    pub(crate) async fn small(
        &mut self,
        name: &str,
        ty: String,
        pickle: Vec<u8>,
        inputs: &[Input],
    ) -> Result<(), TaskError> {
        let key = key_of(&pickle);
        self.enter(name.to_owned(), key.clone(), ty, pickle.len() as u64);
        let is_known = self.known_saved && self.known.contains(&key);
        let mut of_inputs = inputs.iter().filter_map(|input| input.objects.as_ref());
        if is_known || of_inputs.any(|objects| objects.values().any(|object| object.key == key)) {
            return Ok(());
        }
        self.waiting_size += pickle.len();
        self.waiting.insert(key, pickle);
        if self.waiting_size > WAITING_MAX {
            self.save().await?;
        }
        Ok(())
    }

    /// Saves what waits; afterwards all blobs are in the store.
    pub(crate) async fn save(&mut self) -> Result<(), TaskError> {
        self.waiting_size = 0;
        let waiting = std::mem::take(&mut self.waiting);
        Ok(put_all(self.blobs, waiting.into_iter().collect()).await?)
    }

    fn enter(&mut self, name: String, key: String, ty: String, size: u64) {
        let info = Info {
            size,
            ty,
            encoding: ENCODING.to_owned(),
        };
        self.objects.insert(name.clone(), key);
        self.info.insert(name, info);
    }
}

/// Puts small blobs, several at a time.
pub(crate) async fn put_all(
    blobs: &Blobs,
    pickles: Vec<(String, Vec<u8>)>,
) -> Result<(), StoreError> {
    // Made before they are streamed: a closure that borrows would keep this future on one thread.
    let put = async |key: String, pickle: Vec<u8>| blobs.put(&key, &pickle).await;
    let pending: Vec<_> = pickles
        .into_iter()
        .map(|(key, pickle)| put(key, pickle))
        .collect();
    futures::stream::iter(pending)
        .buffer_unordered(CONCURRENT)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    Ok(())
}

fn in_spool(path: &Path, spool: &Path) -> Result<(), TaskError> {
    if path.parent() == Some(spool) {
        return Ok(());
    }
    Err(broken(&format!("`{}` is not in the spool", path.display())))
}

/// The harness and the shim are of one version, so this is a bug in one of them.
fn broken(what: &str) -> TaskError {
    TaskError::new(
        Exit::Configuration,
        format!("the harness does not keep to the protocol: {what}"),
    )
}
