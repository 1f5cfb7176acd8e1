//! The DAGs folder: on this machine or in a bucket.
//!
//! Airflow reads files while we write them, so a file appears whole or not at all.

use std::io;
use std::path::{Path, PathBuf};
use std::process;

use flowc_target::deploy::DeployError;
use flowc_task::store::{Store, StoreError};

/// A place for DAG files.
pub(super) enum Folder {
    /// A folder of this machine.
    Local(PathBuf),
    /// A bucket, and a folder in it.
    Bucket(Store),
}

impl Folder {
    /// Opens a path, `s3://…` or `gs://…`. Nothing is read yet.
    pub(super) fn open(url: &str, bucket: Option<Store>) -> Result<Self, DeployError> {
        if let Some(store) = bucket {
            return Ok(Self::Bucket(store));
        }
        if url.contains("://") {
            return Store::open(url)
                .map(Self::Bucket)
                .map_err(|error| bucket_error("open", url, error));
        }
        std::path::absolute(url)
            .map(Self::Local)
            .map_err(|error| file_error("open", url, error))
    }

    /// How people would name a file of it.
    pub(super) fn locate(&self, name: &str) -> String {
        match self {
            Self::Local(folder) => folder.join(name).display().to_string(),
            Self::Bucket(store) => store.locate(name),
        }
    }

    /// The text of a file, `None` if there is none. What is no UTF-8 is not ours and reads as replacement characters.
    pub(super) async fn get(&self, name: &str) -> Result<Option<String>, DeployError> {
        let bytes = match self {
            Self::Local(folder) => match tokio::fs::read(folder.join(name)).await {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Self::must_exist(folder)?;
                    None
                }
                Err(error) => return Err(file_error("read", &self.locate(name), error)),
            },
            Self::Bucket(store) => store
                .get(name)
                .await
                .map_err(|error| bucket_error("read", &self.locate(name), error))?
                .map(Into::into),
        };
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Writes a file, in one step as seen by who reads it.
    pub(super) async fn put(&self, name: &str, text: &str) -> Result<(), DeployError> {
        let failed = |error| file_error("write", &self.locate(name), error);
        match self {
            Self::Local(folder) => {
                // Airflow parses `.py` and archives only. Where another process died, its file is written over.
                let temporary = folder.join(format!(".{name}.{}.flowc-tmp", process::id()));
                tokio::fs::write(&temporary, text).await.map_err(failed)?;
                let renamed = tokio::fs::rename(&temporary, folder.join(name)).await;
                if renamed.is_err() {
                    // The first error is the one to tell.
                    let _ = tokio::fs::remove_file(&temporary).await;
                }
                renamed.map_err(failed)
            }
            Self::Bucket(store) => store
                .put(name, vec![text.to_owned().into()])
                .await
                .map_err(|error| bucket_error("write", &self.locate(name), error)),
        }
    }

    /// Removes a file, if it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<(), DeployError> {
        match self {
            Self::Local(folder) => match tokio::fs::remove_file(folder.join(name)).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(file_error("remove", &self.locate(name), error))
                }
                _ => Ok(()),
            },
            Self::Bucket(store) => store
                .delete(name)
                .await
                .map_err(|error| bucket_error("remove", &self.locate(name), error)),
        }
    }

    /// A missing folder is a wrong setting or a disk that is not mounted, and must not be made up.
    fn must_exist(folder: &Path) -> Result<(), DeployError> {
        if folder.is_dir() {
            return Ok(());
        }
        Err(DeployError::Missing {
            object: format!("the DAGs folder {}", folder.display()),
            help: "make it, or correct `dags` in flowc.toml".to_owned(),
        })
    }
}

fn file_error(action: &'static str, object: &str, error: io::Error) -> DeployError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return DeployError::Denied {
            permission: format!("{action} files"),
            object: object.to_owned(),
            source: error.into(),
        };
    }
    DeployError::Other {
        action,
        object: object.to_owned(),
        source: error.into(),
    }
}

fn bucket_error(action: &'static str, object: &str, error: StoreError) -> DeployError {
    if let StoreError::NoBucket { url, .. } = &error {
        return DeployError::Missing {
            object: url.clone(),
            help: "make the bucket, or correct `dags` in flowc.toml".to_owned(),
        };
    }
    if let StoreError::Denied { .. } = &error {
        return DeployError::Denied {
            permission: format!("{action} objects"),
            object: object.to_owned(),
            source: error.into(),
        };
    }
    DeployError::Other {
        action,
        object: object.to_owned(),
        source: error.into(),
    }
}
