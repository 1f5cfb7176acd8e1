//! Blobs, named by the sha1 of their uncompressed bytes.
//!
//! A blob is written only if it is absent, and checked against its name whenever it is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flowc_protocol::conversation::INLINE_MAX;
use flowc_protocol::identity::blob_key;
use flowc_protocol::known::key_of;
use futures::StreamExt;
use tokio::task::JoinHandle;

use crate::codec;
use crate::damage;
use crate::digest::{Growing, Running, digest_file};
use crate::store::{Content, Encoding, Put, Store, StoreError};

/// The blobs of one flow.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Store,
    flow: String,
}

/// A blob that was read.
#[derive(Debug)]
pub enum Loaded {
    /// Its bytes, verified; at most [`INLINE_MAX`].
    Inline(Vec<u8>),
    /// A verified file that holds its uncompressed bytes: in the spool, or in the store itself. Not to be changed.
    File(PathBuf),
    /// The same, but still being verified.
    Unverified(PathBuf, Verdict),
}

/// Resolves once a blob's bytes have been compared with its key.
pub type Verdict = JoinHandle<Result<(), StoreError>>;

/// A blob of this size is handed over while it is verified; for smaller ones that is not worth asking twice.
const UNVERIFIED_MIN: u64 = 4 << 20;

impl Blobs {
    /// The blobs of a flow.
    pub fn new(store: &Store, flow: &str) -> Self {
        Self {
            store: store.clone(),
            flow: flow.to_owned(),
        }
    }

    /// Saves a small blob; its key is `key`, the sha1 of `bytes`.
    pub async fn put(&self, key: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let object = blob_key(&self.flow, key);
        let packed = codec::gzip(bytes)
            .map_err(|error| StoreError::from_io(self.store.locate(&object), &error))?;
        // Asking a folder is cheaper than writing, asking a bucket costs as much.
        if self.store.local_root().is_some() && self.store.exists(&object).await? {
            return Ok(Put::Existed);
        }
        self.store.put_new(&object, Bytes::from(packed)).await
    }

    /// Saves a spool file, which is given away; its key. `begun` is its digest as far as it was known before.
    pub async fn put_spool(
        &self,
        file: &Path,
        begun: Option<Growing>,
    ) -> Result<String, StoreError> {
        let digest = move |path: &Path| match begun {
            Some(growing) => growing.finish(),
            None => digest_file(&mut File::open(path)?),
        };
        let (key, size) = blocking(file, digest).await?;
        let object = blob_key(&self.flow, &key);
        if self.store.exists(&object).await? {
            discard(file);
            return Ok(key);
        }
        let pays = blocking(file, move |path| codec::pays(&mut File::open(path)?, size));
        if !pays.await? {
            self.store
                .put_file_new(&object, file, Encoding::Raw)
                .await?;
            discard(file);
            return Ok(key);
        }
        let packed = file.with_extension("gz");
        let target = packed.clone();
        blocking(file, move |path| codec::gzip_file(path, &target)).await?;
        discard(file);
        self.store
            .put_file_new(&object, &packed, Encoding::Plain)
            .await?;
        discard(&packed);
        Ok(key)
    }

    /// Reads and verifies a blob of `size` uncompressed bytes; `spool` is a folder for its file.
    /// What is not as it should be is read once more: it may have been damaged on its way only.
    pub async fn load(&self, key: &str, size: u64, spool: &Path) -> Result<Loaded, StoreError> {
        let object = blob_key(&self.flow, key);
        match self.load_once(&object, key, size, spool).await {
            Err(StoreError::Corrupt { .. }) => self.load_once(&object, key, size, spool).await,
            other => other,
        }
    }

    /// Sets a blob aside that [`Blobs::load`] found damaged, and says so; other errors are passed on.
    pub(crate) async fn set_aside(
        &self,
        key: &str,
        size: u64,
        spool: &Path,
        found: StoreError,
    ) -> StoreError {
        let StoreError::Corrupt { detail, .. } = found else {
            return found;
        };
        let object = blob_key(&self.flow, key);
        let moved = damage::move_aside(&self.store, &object).await;
        if let Ok(aside) = &moved
            && let Ok(()) = self.load_whole(aside, key, size, spool).await
        {
            return damage::give_back(&self.store, &object, aside).await;
        }
        damage::tell(&self.store, &object, &detail, &moved)
    }

    /// Whether a blob is there, whatever it holds.
    pub(crate) async fn has(&self, key: &str) -> Result<bool, StoreError> {
        self.store.exists(&blob_key(&self.flow, key)).await
    }

    /// As [`Blobs::load_once`], once it is verified.
    async fn load_whole(
        &self,
        object: &str,
        key: &str,
        size: u64,
        spool: &Path,
    ) -> Result<(), StoreError> {
        match self.load_once(object, key, size, spool).await? {
            Loaded::Inline(_) | Loaded::File(_) => Ok(()),
            Loaded::Unverified(path, verdict) => verdict
                .await
                .unwrap_or_else(|error| Err(spool_error(&path, &io::Error::other(error)))),
        }
    }

    async fn load_once(
        &self,
        object: &str,
        key: &str,
        size: u64,
        spool: &Path,
    ) -> Result<Loaded, StoreError> {
        let missing = || StoreError::Missing {
            object: self.store.locate(object),
        };
        if size <= INLINE_MAX {
            let bytes = self.store.get(object).await?.ok_or_else(missing)?;
            return self.verify_inline(object, key, &bytes).map(Loaded::Inline);
        }
        let target = spool.join(format!("load-{}", uuid::Uuid::new_v4().simple()));
        match self.store.read(object).await?.ok_or_else(missing)? {
            Content::File(mut file, path) => {
                let unreadable = |error: io::Error| spool_error(&path, &error);
                if size >= UNVERIFIED_MIN && !is_packed(&mut file).map_err(unreadable)? {
                    let verdict = self.verify_raw(object, key, file, &path);
                    return Ok(Loaded::Unverified(path, verdict));
                }
                self.verify_file(object, key, size, file, path, target)
                    .await
            }
            Content::Stream(mut pieces) => {
                let packed = target.with_extension("gz");
                let spooled = |error: io::Error| spool_error(&packed, &error);
                let mut file = File::options()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .open(&packed)
                    .map_err(spooled)?;
                // A raw blob is verified while it comes in.
                let mut running = None;
                let mut is_raw = false;
                while let Some(piece) = pieces.next().await {
                    let piece = piece?;
                    if running.is_none() {
                        is_raw = !codec::looks_like_gzip(&piece);
                    }
                    let running: &mut Running = running.get_or_insert_default();
                    if is_raw {
                        running.update(&piece);
                    }
                    file.write_all(&piece).map_err(spooled)?;
                }
                if running.is_some_and(|running| is_raw && running.finish().0 == key) {
                    return Ok(Loaded::File(packed));
                }
                file.seek(SeekFrom::Start(0)).map_err(spooled)?;
                let loaded = self
                    .verify_file(object, key, size, file, packed.clone(), target)
                    .await?;
                if !matches!(&loaded, Loaded::File(path) if *path == packed) {
                    discard(&packed);
                }
                Ok(loaded)
            }
        }
    }

    fn verify_inline(&self, object: &str, key: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        // Whether a blob is gzip is seen in its bytes, and the digest settles what bytes alone cannot.
        let mut found = key_of(bytes);
        if codec::looks_like_gzip(bytes) {
            match codec::gunzip(bytes, INLINE_MAX) {
                Ok(plain) if key_of(&plain) == key => return Ok(plain),
                Ok(plain) => found = key_of(&plain),
                Err(error) if found != key => return Err(self.corrupt(object, &error.to_string())),
                Err(_) => {}
            }
        }
        if key_of(bytes) == key {
            return Ok(bytes.to_owned());
        }
        Err(self.mismatch(object, &found))
    }

    /// Starts to compare a raw blob with its key.
    fn verify_raw(&self, object: &str, key: &str, mut file: File, path: &Path) -> Verdict {
        let (blobs, object, key) = (self.clone(), object.to_owned(), key.to_owned());
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || {
            let digest = digest_file(&mut file);
            let (found, _) = digest.map_err(|error| spool_error(&path, &error))?;
            if found == key {
                return Ok(());
            }
            Err(blobs.mismatch(&object, &found))
        })
    }

    async fn verify_file(
        &self,
        object: &str,
        key: &str,
        size: u64,
        mut file: File,
        path: PathBuf,
        target: PathBuf,
    ) -> Result<Loaded, StoreError> {
        let wanted = key.to_owned();
        let work = move || -> Result<Found, StoreError> {
            let here = path.clone();
            let unreadable = |error: io::Error| spool_error(&here, &error);
            let mut trouble = None;
            if is_packed(&mut file).map_err(unreadable)? {
                let output =
                    File::create_new(&target).map_err(|error| spool_error(&target, &error))?;
                let mut output = Spool {
                    file: output,
                    failed: None,
                };
                match codec::gunzip_file(&mut file, &mut output, size) {
                    Ok((found, _)) if found == wanted => return Ok(Found::Good(target)),
                    Ok((found, _)) => trouble = Some(format!("its bytes have the digest {found}")),
                    Err(error) => {
                        if let Some(failed) = output.failed {
                            discard(&target);
                            return Err(spool_error(&target, &failed));
                        }
                        // The system says by a number that it could not read; a decoder has none.
                        if error.raw_os_error().is_some() {
                            return Err(unreadable(error));
                        }
                        trouble = Some(error.to_string());
                    }
                }
                discard(&target);
                file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
            }
            let (found, _) = digest_file(&mut file).map_err(unreadable)?;
            if found == wanted {
                return Ok(Found::Good(path));
            }
            Ok(Found::Bad(trouble.unwrap_or_else(|| {
                format!("its bytes have the digest {found}")
            })))
        };
        let joined = tokio::task::spawn_blocking(work).await;
        let found = joined.unwrap_or_else(|error| {
            let object = self.store.locate(object);
            Err(StoreError::from_io(object, &io::Error::other(error)))
        })?;
        match found {
            Found::Good(path) => Ok(Loaded::File(path)),
            Found::Bad(detail) => Err(self.corrupt(object, &detail)),
        }
    }

    fn mismatch(&self, object: &str, found: &str) -> StoreError {
        self.corrupt(object, &format!("its bytes have the digest {found}"))
    }

    fn corrupt(&self, object: &str, detail: &str) -> StoreError {
        StoreError::Corrupt {
            object: self.store.locate(object),
            detail: detail.to_owned(),
        }
    }
}

enum Found {
    Good(PathBuf),
    Bad(String),
}

/// Whether a file begins like gzip; its place is the beginning afterwards.
fn is_packed(file: &mut File) -> io::Result<bool> {
    let mut magic = [0; 2];
    let is_packed = file.read_exact(&mut magic).is_ok() && codec::looks_like_gzip(&magic);
    file.seek(SeekFrom::Start(0))?;
    Ok(is_packed)
}

/// Tells a failure to write (a full disk) from one to read (a corrupt blob).
struct Spool {
    file: File,
    failed: Option<io::Error>,
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).inspect_err(|error| {
            self.failed = Some(io::Error::new(error.kind(), error.to_string()));
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Does what takes time with a file on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let path = file.to_owned();
    tokio::task::spawn_blocking(move || work(&path).map_err(|error| spool_error(&path, &error)))
        .await
        .unwrap_or_else(|error| Err(spool_error(file, &io::Error::other(error))))
}

fn spool_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::from_io(path.display().to_string(), error)
}

fn discard(path: &Path) {
    // The spool folder is removed as a whole when the task ends.
    let _ = std::fs::remove_file(path);
}
