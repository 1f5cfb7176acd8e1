//! What can go wrong with a store, and what each means for the task.

use std::io;

use flowc_protocol::exit::Exit;

/// A store could not do what it was asked to. Every message names the store or object and says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is not one of a store.
    #[error("`{url}` is not a store: {reason}")]
    Url {
        /// As given.
        url: String,
        /// Why, and which forms there are.
        reason: String,
    },
    /// The bucket, container or folder is not there.
    #[error("{url} does not exist: create it, or correct the store's URL ({detail})")]
    NoBucket {
        /// The store's root.
        url: String,
        /// What the other side said.
        detail: String,
    },
    /// Requests are signed for another region than the bucket's.
    #[error("{url} is in another region: set AWS_REGION to that of the bucket ({detail})")]
    Region {
        /// The store's root.
        url: String,
        /// What the other side said.
        detail: String,
    },
    /// Reading or writing is not allowed.
    #[error(
        "access to {object} was denied: check the credentials and permissions of this process ({detail})"
    )]
    Denied {
        /// The object.
        object: String,
        /// What the other side said.
        detail: String,
    },
    /// The device is full, or another limit of this machine was hit.
    #[error("no space left to write {object}: free some, or use another folder ({detail})")]
    Full {
        /// The object or file.
        object: String,
        /// What the system said.
        detail: String,
    },
    /// The store does not answer, or is busy, and patience ran out.
    #[error(
        "the store does not answer or is too busy, also after retries, at {object}: check its endpoint and the network ({detail})"
    )]
    Unavailable {
        /// The object.
        object: String,
        /// The last answer.
        detail: String,
    },
    /// Bytes do not match their digest.
    #[error(
        "{object} is corrupt: {detail}; run the task that wrote it again, or restore the object"
    )]
    Corrupt {
        /// The object.
        object: String,
        /// What was expected and what was found.
        detail: String,
    },
    /// An object that another object refers to is not there.
    #[error(
        "{object} is missing from the store: it may have been deleted; run the task that wrote it again"
    )]
    Missing {
        /// The object.
        object: String,
    },
    /// A second create-only write replaced the first.
    #[error(
        "{url} overwrites an object that must only be created once: use a store that honours `If-None-Match: *`"
    )]
    NotConditional {
        /// The store's root.
        url: String,
    },
}

impl StoreError {
    /// The exit code by which an orchestrator decides whether to try again.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Url { .. }
            | Self::NoBucket { .. }
            | Self::Region { .. }
            | Self::Denied { .. }
            | Self::NotConditional { .. } => Exit::Configuration,
            Self::Full { .. } => Exit::Machine,
            Self::Unavailable { .. } => Exit::Store,
            Self::Corrupt { .. } | Self::Missing { .. } => Exit::Corrupt,
        }
    }

    /// Sorts an error of the file system.
    pub(crate) fn from_io(object: impl Into<String>, error: &io::Error) -> Self {
        let object = object.into();
        let detail = error.to_string();
        let kind = error.kind();
        let full = [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::FileTooLarge,
        ];
        let denied = [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::NotADirectory,
        ];
        if full.contains(&kind) {
            Self::Full { object, detail }
        } else if denied.contains(&kind) {
            Self::Denied { object, detail }
        } else {
            Self::Unavailable { object, detail }
        }
    }
}
