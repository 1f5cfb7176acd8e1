//! Files of the tree: whole or not at all for whoever looks.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, renameat};
use rustix::io::Errno;
use serde::Serialize;

use super::FOLDER;

/// Writes `_meta/_self.json` of an object that has none yet.
pub(super) fn publish_self(object: &Path, myself: &impl Serialize) -> io::Result<()> {
    let folder = object.join(FOLDER);
    if folder.join("_self.json").exists() {
        return Ok(());
    }
    make_folder(&folder)?;
    replace(&open_folder(&folder)?, "_self.json", myself)
}

pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir_all(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

pub(super) fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

/// Writes a file that nobody looks at yet, over one of the same name.
pub(super) fn write_new(folder: impl AsFd, name: &str, object: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(object)?;
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?;
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        match rustix::io::write(&file, left) {
            Ok(written) => left = &left[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes a file that somebody may be looking for.
pub(super) fn replace(folder: &OwnedFd, name: &str, object: &impl Serialize) -> io::Result<()> {
    let temporary = format!(".{name}.{}", std::process::id());
    write_new(folder, &temporary, object)?;
    renameat(folder, temporary.as_str(), folder, name)?;
    Ok(())
}
