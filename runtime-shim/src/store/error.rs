//! What can go wrong with a store, and what each means for the task.

use std::io;

use flowc_protocol::exit::Exit;
use rustix::io::Errno;

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
    /// A file could not be read or written, for a reason that may pass.
    #[error("{object} cannot be read or written: check its disk or file system ({detail})")]
    Disk {
        /// The file.
        object: String,
        /// What the system said.
        detail: String,
    },
    /// The request can never be fulfilled as it is: a name that is too long, a folder where a file has to be, ….
    #[error("{object} cannot be read or written: {hint} ({detail})")]
    Unusable {
        /// The object.
        object: String,
        /// What to do about it.
        hint: &'static str,
        /// What the other side said.
        detail: String,
    },
    /// Requests are signed with a time that is not the store's.
    #[error("the store refuses {object}: the clock of this machine is wrong, set it ({detail})")]
    Clock {
        /// The object.
        object: String,
        /// What the other side said.
        detail: String,
    },
    /// The root of a local store went away while it was in use.
    #[error(
        "{root} was removed or replaced while it was in use: what was kept in it is lost; use a folder that nothing else removes, and start again"
    )]
    Removed {
        /// The root.
        root: String,
    },
    /// Bytes are not what was written: proven by their digest, or because they cannot be parsed, and read twice.
    #[error("{object} is damaged: {detail}")]
    Corrupt {
        /// The object.
        object: String,
        /// What was expected and what was found.
        detail: String,
    },
    /// Somebody else writes where only one may.
    #[error("somebody else writes to {object}: start a new run")]
    Conflict {
        /// The object or folder.
        object: String,
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
            | Self::Unusable { .. }
            | Self::Clock { .. }
            | Self::Removed { .. }
            | Self::NotConditional { .. } => Exit::Configuration,
            Self::Full { .. } => Exit::Machine,
            Self::Unavailable { .. } | Self::Disk { .. } => Exit::Store,
            Self::Conflict { .. } => Exit::Conflict,
            Self::Corrupt { .. } | Self::Missing { .. } => Exit::Corrupt,
        }
    }

    /// Sorts an error of the file system: by whether it can pass, and by what is to be done.
    pub(crate) fn from_io(object: impl Into<String>, error: &io::Error) -> Self {
        let object = object.into();
        let detail = error.to_string();
        match Trouble::of(error) {
            Trouble::Full => Self::Full { object, detail },
            Trouble::Denied => Self::Denied { object, detail },
            Trouble::Lasting(hint) => Self::Unusable {
                object,
                hint,
                detail,
            },
            Trouble::Passing => Self::Disk { object, detail },
        }
    }
}

/// What an error of the file system means for whoever met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Full,
    Denied,
    /// Trying again does not help; what to do instead.
    Lasting(&'static str),
    Passing,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(error) else {
            return Self::of_kind(error.kind());
        };
        match errno {
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Self::Full,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied,
            Errno::NAMETOOLONG => Self::Lasting(
                "a part of the name is longer than the 255 bytes of a file name, or all of it too long for a path",
            ),
            Errno::LOOP => Self::Lasting("symbolic links on the way to it lead in a circle"),
            Errno::ISDIR => Self::Lasting("a folder is where a file should be, move it away"),
            Errno::NOTDIR => Self::Lasting("a file is where a folder should be, move it away"),
            Errno::INVAL
            | Errno::ILSEQ
            | Errno::NODEV
            | Errno::NXIO
            | Errno::NOSYS
            | Errno::NOTSUP
            | Errno::MLINK
            | Errno::XDEV
            | Errno::EXIST
            | Errno::NOTEMPTY => Self::Lasting(UNFIT),
            _ => Self::Passing,
        }
    }

    /// Errors that the standard library made.
    fn of_kind(kind: io::ErrorKind) -> Self {
        let full = [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::FileTooLarge,
        ];
        let denied = [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
        ];
        let lasting = [
            io::ErrorKind::InvalidInput,
            io::ErrorKind::InvalidFilename,
            io::ErrorKind::NotADirectory,
            io::ErrorKind::IsADirectory,
            io::ErrorKind::Unsupported,
        ];
        if full.contains(&kind) {
            Self::Full
        } else if denied.contains(&kind) {
            Self::Denied
        } else if lasting.contains(&kind) {
            Self::Lasting(UNFIT)
        } else {
            Self::Passing
        }
    }
}

const UNFIT: &str = "the file system cannot do this, use another folder";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_time_can_heal_is_worth_another_try() {
        let exit = |errno: Errno| StoreError::from_io("x", &io::Error::from(errno)).exit();
        for errno in [
            Errno::NAMETOOLONG,
            Errno::LOOP,
            Errno::ISDIR,
            Errno::NOTDIR,
            Errno::ACCESS,
            Errno::PERM,
            Errno::ROFS,
            Errno::INVAL,
            Errno::NOTSUP,
        ] {
            assert!(!exit(errno).is_transient(), "{errno}");
        }
        for errno in [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::IO,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::INTR,
            Errno::TIMEDOUT,
            Errno::STALE,
            Errno::BUSY,
        ] {
            assert!(exit(errno).is_transient(), "{errno}");
        }
        let named = io::Error::from(io::ErrorKind::InvalidInput);
        assert!(!StoreError::from_io("x", &named).exit().is_transient());
        // What to do is said, and not that credentials were wrong.
        let said = StoreError::from_io("a/b", &io::Error::from(Errno::NAMETOOLONG)).to_string();
        assert!(said.contains("a/b") && said.contains("255 bytes"), "{said}");
    }
}
