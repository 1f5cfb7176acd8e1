//! What lies below a prefix. Tasks never list; people's questions about runs do.

use super::{Backend, Operation, Store, StoreError};

/// A key that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Relative to the store's root.
    pub key: String,
    /// Bytes as they lie there.
    pub size: u64,
    /// When it was written, milliseconds since the epoch; S3 tells whole seconds.
    pub modified_ms: u64,
}

/// What lies directly below a prefix; each sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Names of the folders.
    pub folders: Vec<String>,
    /// The keys.
    pub keys: Vec<Found>,
}

/// Hears of keys.
pub type Visit<'a> = &'a mut (dyn FnMut(Found) + Send);

/// A local store shares its folders with Metaflow's metadata tree, which is no part of the store and is not listed.
pub(super) const METADATA_FOLDER: &str = "_meta";

impl Store {
    /// Lists what lies directly below a prefix, a folder without the slash at its end; the root is the empty string.
    /// A folder that is not there is empty.
    pub async fn list(&self, prefix: &str) -> Result<Folder, StoreError> {
        let mut folder = self
            .through(Operation::List, prefix, async {
                match &self.inner.backend {
                    Backend::Local(local) => local.list(prefix),
                    Backend::Object(object) => object.list(prefix).await,
                }
            })
            .await?;
        folder.folders.sort_unstable();
        folder.keys.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(folder)
    }

    /// Visits every key below a prefix, in no particular order and as the pages come: a folder of any size takes the
    /// memory of a page.
    pub async fn walk(&self, prefix: &str, visit: Visit<'_>) -> Result<(), StoreError> {
        self.through(Operation::List, prefix, async {
            match &self.inner.backend {
                Backend::Local(local) => local.walk(prefix, visit),
                Backend::Object(object) => object.walk(prefix, visit).await,
            }
        })
        .await
    }
}
