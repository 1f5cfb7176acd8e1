//! The store: a local folder or a bucket, with create-only writes.
//!
//! Keys are relative to the store's root and use `/`. A key is never seen half-written: a local file appears by
//! rename, an object by the end of its upload.

mod error;
mod list;
mod local;
mod object;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

pub use error::StoreError;
pub use list::{Folder, Found, Visit};
use local::LocalStore;
pub use local::{is_still, open_folder};
use object::ObjectStore;
pub use object::install_tls;
pub(crate) use object::{Aws, Call, Lent, element};

use crate::crash;
use crate::held::HeldFolder;

/// What the names of spool folders begin with.
const SPOOL: &str = "spool-";

/// A store, cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    backend: Backend,
    operations: AtomicU64,
    gate: Option<Arc<dyn Gate>>,
}

#[derive(Clone)]
enum Backend {
    Local(LocalStore),
    Object(ObjectStore),
}

/// What a create-only write found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The key is new.
    Created,
    /// The key was there; nothing was written.
    Existed,
}

/// How a blob's bytes lie in the store; Metaflow's readers need to be told about raw ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As gzip, or not a blob at all: no metadata.
    Plain,
    /// A blob whose bytes are stored as they are (`cas_raw`).
    Raw,
}

/// What is being done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads it whole, or opens it.
    Get,
    /// Asks whether it is there.
    Exists,
    /// Writes it, over whatever is there, or removes it.
    Put,
    /// Writes it if it is not there.
    PutNew,
    /// Adds to its end; local stores only.
    Append,
    /// Asks what lies below it.
    List,
}

/// Stands between callers and the store: tests order, count and break operations with it.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Before an operation; an error is its result.
    async fn enter(&self, operation: Operation, key: &str) -> Result<(), StoreError>;
    /// After an operation.
    async fn leave(&self, operation: Operation, key: &str);
}

/// The bytes of a key, to be read in pieces.
pub enum Content {
    /// A file of a local store.
    File(std::fs::File, PathBuf),
    /// The body of an answer.
    Stream(futures::stream::BoxStream<'static, Result<Bytes, StoreError>>),
}

impl Store {
    /// Opens the store at a URL (`s3://bucket/prefix`, `gs://…`, `az://container/prefix`, `file://…`) or local path.
    /// Nothing is read or written yet. Credentials come from the environment.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, &[])
    }

    /// As [`Store::open`], with settings of the bucket's client that win over the environment, by their names in
    /// `object_store` (`aws_access_key_id`, …).
    pub fn open_with(url: &str, settings: &[(String, String)]) -> Result<Self, StoreError> {
        let backend = match url.split_once("://") {
            None if is_nearly_a_url(url) => {
                return Err(StoreError::Url {
                    url: url.to_owned(),
                    reason: "write two slashes, as in `s3://BUCKET/PREFIX`".to_owned(),
                });
            }
            None => Backend::Local(LocalStore::open(Path::new(url))?),
            Some(("file", path)) => Backend::Local(LocalStore::open(Path::new(path))?),
            Some(_) => Backend::Object(ObjectStore::open(url, settings)?),
        };
        let url = match &backend {
            Backend::Local(local) => local.root().display().to_string(),
            Backend::Object(_) => url.trim_end_matches('/').to_owned(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                url,
                backend,
                operations: AtomicU64::new(0),
                gate: None,
            }),
        })
    }

    /// The same store behind a gate, counting from zero.
    #[must_use]
    pub fn with_gate(&self, gate: Arc<dyn Gate>) -> Self {
        Self {
            inner: Arc::new(Inner {
                url: self.inner.url.clone(),
                backend: self.inner.backend.clone(),
                operations: AtomicU64::new(0),
                gate: Some(gate),
            }),
        }
    }

    /// The root, as people write it: an absolute path or a URL.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// What Metaflow calls this kind of store: `local`, `s3`, `gs` or `azure`.
    pub fn kind(&self) -> &'static str {
        match &self.inner.backend {
            Backend::Local(_) => "local",
            Backend::Object(object) => object.kind(),
        }
    }

    /// The root folder of a local store.
    pub fn local_root(&self) -> Option<&Path> {
        match &self.inner.backend {
            Backend::Local(local) => Some(local.root()),
            Backend::Object(_) => None,
        }
    }

    /// How many operations were started. One operation is one request, except for uploads in parts
    /// and for listings, which take one per thousand keys.
    pub fn operations(&self) -> u64 {
        self.inner.operations.load(Ordering::Relaxed)
    }

    /// A folder for files that are then given to [`Store::put_file_new`]: of a local store on its file system, so that
    /// they can be renamed into it, of others below `fallback`.
    pub fn spool(&self, fallback: &Path) -> Result<HeldFolder, StoreError> {
        match &self.inner.backend {
            Backend::Local(local) => local.spool(),
            Backend::Object(_) => std::fs::create_dir_all(fallback)
                .and_then(|()| HeldFolder::make(fallback, SPOOL))
                .map_err(|error| StoreError::from_io(fallback.display().to_string(), &error)),
        }
    }

    /// Where a key can be found in messages: `s3://bucket/prefix/key` or a path.
    pub fn locate(&self, key: &str) -> String {
        format!("{}/{key}", self.inner.url.trim_end_matches('/'))
    }

    /// The bytes of a key, `None` if there is no such key.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.through(Operation::Get, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.get(key),
                Backend::Object(object) => object.get(key).await,
            }
        })
        .await
    }

    /// Opens a key for reading in pieces, `None` if there is no such key.
    pub async fn read(&self, key: &str) -> Result<Option<Content>, StoreError> {
        self.through(Operation::Get, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.open_file(key),
                Backend::Object(object) => object.read(key).await,
            }
        })
        .await
    }

    /// Whether a key is there.
    pub async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.through(Operation::Exists, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.exists(key),
                Backend::Object(object) => object.exists(key).await,
            }
        })
        .await
    }

    /// Writes a key, over whatever is there.
    pub async fn put(&self, key: &str, bytes: Vec<Bytes>) -> Result<(), StoreError> {
        self.through(Operation::Put, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.put(key, &bytes),
                Backend::Object(object) => object.put(key, bytes).await,
            }
        })
        .await
    }

    /// Writes a key if it is not there.
    pub async fn put_new(&self, key: &str, bytes: Bytes) -> Result<Put, StoreError> {
        self.through(Operation::PutNew, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.put_new(key, &bytes),
                Backend::Object(object) => object.put_new(key, bytes).await,
            }
        })
        .await
    }

    /// Writes a key from a file if it is not there. The file is given away: a local store takes it over by rename
    /// where it can. Its name may be gone afterwards.
    pub async fn put_file_new(
        &self,
        key: &str,
        file: &Path,
        encoding: Encoding,
    ) -> Result<Put, StoreError> {
        self.through(Operation::PutNew, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.put_file_new(key, file, encoding).await,
                Backend::Object(object) => object.put_file_new(key, file, encoding).await,
            }
        })
        .await
    }

    /// Adds to the end of a key of a local store.
    ///
    /// # Panics
    /// On other stores, which cannot do this: ask [`Store::local_root`].
    pub async fn append(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.through(Operation::Append, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.append(key, bytes),
                Backend::Object(_) => unreachable!("buckets cannot append"),
            }
        })
        .await
    }

    /// Removes a key, if it is there. Nothing that a task commits is ever removed: this is for what deploying puts elsewhere.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.through(Operation::Put, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.delete(key),
                Backend::Object(object) => object.delete(key).await,
            }
        })
        .await
    }

    /// Gives a key the name `aside`, which nothing has: what was damaged is kept, and its key is free.
    /// A bucket copies it and removes the old one; if that is not allowed, the copy stays beside it.
    pub async fn rename(&self, key: &str, aside: &str) -> Result<(), StoreError> {
        self.through(Operation::Put, key, async {
            match &self.inner.backend {
                Backend::Local(local) => local.rename(key, aside),
                Backend::Object(object) => object.rename(key, aside).await,
            }
        })
        .await
    }

    /// Checks that the store can be written and honours create-only writes, by writing one key twice.
    /// Done when a run starts and by `deploy`, for people who wait: a store that does not answer is given seconds only.
    /// The key is different each time and is a few bytes long.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let backend = match &self.inner.backend {
            Backend::Local(local) => {
                local.sweep();
                self.inner.backend.clone()
            }
            Backend::Object(object) => Backend::Object(object.impatient()?),
        };
        let asked = Self {
            inner: Arc::new(Inner {
                url: self.inner.url.clone(),
                backend,
                operations: AtomicU64::new(0),
                gate: self.inner.gate.clone(),
            }),
        };
        let key = format!(".flowc-probe/{}", uuid::Uuid::new_v4().simple());
        asked.put_new(&key, Bytes::from_static(b"1")).await?;
        let second = asked.put_new(&key, Bytes::from_static(b"2")).await?;
        let content = asked.get(&key).await?;
        match &asked.inner.backend {
            Backend::Local(local) => local.remove(&key),
            Backend::Object(object) => object.remove(&key).await,
        }
        // Where the answer to the first write was lost, it was done twice and the key is found to exist: that proves
        // nothing against the store.
        let is_first = content.as_deref() == Some(b"1".as_slice());
        if second == Put::Existed && is_first {
            return Ok(());
        }
        if second == Put::Existed && content.is_none() {
            return Err(StoreError::Unavailable {
                object: self.locate(&key),
                detail: "it was written and is not there".to_owned(),
            });
        }
        Err(StoreError::NotConditional {
            url: self.inner.url.clone(),
        })
    }

    async fn through<T>(
        &self,
        operation: Operation,
        key: &str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.inner.operations.fetch_add(1, Ordering::Relaxed);
        if let Some(gate) = &self.inner.gate {
            gate.enter(operation, key).await?;
        }
        crash::point();
        let result = work.await;
        crash::point();
        if let Some(gate) = &self.inner.gate {
            gate.leave(operation, key).await;
        }
        result
    }
}

/// Whether a place is meant as a URL and lacks a slash: it would become a folder of an odd name.
pub fn is_nearly_a_url(place: &str) -> bool {
    let scheme = place.split_once(":/").map(|(scheme, _)| scheme);
    !place.contains("://")
        && scheme.is_some_and(|scheme| ["s3", "s3a", "gs", "az", "azure", "file"].contains(&scheme))
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client inside holds credentials, which are never shown.
        f.debug_struct("Store")
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}
