//! A store in a local folder.
//!
//! Files are written under the root's `.flowc-tmp` and then renamed without replacing, so that a key appears whole or
//! not at all. Safe against kills, not against power loss (DESIGN §3).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustix::fs::{CWD, RenameFlags};

use super::list::METADATA_FOLDER;
use super::{Content, Encoding, Folder, Found, Put, StoreError, Visit};
use crate::crash;

/// Metaflow's metadata of a raw blob, in a file beside it.
const RAW_METADATA: &[u8] = br#"{"cas_raw": true, "cas_version": 1}"#;

/// What a killed process left in the temporary folder is removed after this time.
const TEMPORARY_AGE: Duration = Duration::from_hours(48);

#[derive(Clone)]
pub(super) struct LocalStore {
    root: PathBuf,
    temporary: PathBuf,
}

impl LocalStore {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(path).map_err(|error| StoreError::Url {
            url: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let temporary = root.join(".flowc-tmp");
        Ok(Self { root, temporary })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn temporary(&self) -> &Path {
        &self.temporary
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match fs::read(self.root.join(key)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed(key, &error)),
        }
    }

    pub(super) fn open_file(&self, key: &str) -> Result<Option<Content>, StoreError> {
        let path = self.root.join(key);
        match File::open(&path) {
            Ok(file) => Ok(Some(Content::File(file, path))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed(key, &error)),
        }
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.root
            .join(key)
            .try_exists()
            .map_err(|error| self.failed(key, &error))
    }

    pub(super) fn put(&self, key: &str, bytes: &[Bytes]) -> Result<(), StoreError> {
        let write = || {
            let temporary = self.write_temporary(bytes.iter().map(AsRef::as_ref))?;
            crash::point();
            let target = self.root.join(key);
            with_parent(&target, || fs::rename(&temporary, &target))
                .inspect_err(|_| discard(&temporary))
        };
        write().map_err(|error| self.failed(key, &error))
    }

    pub(super) fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let write = || {
            let temporary = self.write_temporary([bytes])?;
            crash::point();
            let put = publish(&temporary, &self.root.join(key));
            if !matches!(put, Ok(Put::Created)) {
                discard(&temporary);
            }
            put
        };
        write().map_err(|error| self.failed(key, &error))
    }

    pub(super) async fn put_file_new(
        &self,
        key: &str,
        file: &Path,
        encoding: Encoding,
    ) -> Result<Put, StoreError> {
        // Metaflow takes a blob without metadata for gzip, so the metadata of a raw one comes first.
        if encoding == Encoding::Raw {
            self.put_new(&format!("{key}_meta"), RAW_METADATA)?;
        }
        crash::point();
        let target = self.root.join(key);
        let (store, file) = (self.clone(), file.to_owned());
        let publish_file = move || {
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            match publish(&file, &target) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    let temporary = store.copy_temporary(&file)?;
                    publish(&temporary, &target).inspect_err(|_| discard(&temporary))
                }
                other => other,
            }
        };
        tokio::task::spawn_blocking(publish_file)
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| self.failed(key, &error))
    }

    pub(super) fn append(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.root.join(key);
        with_parent(&target, || {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&target)?;
            file.write_all(bytes)
        })
        .map_err(|error| self.failed(key, &error))
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Folder, StoreError> {
        let mut folder = Folder::default();
        self.entries(prefix, &mut |entry| match entry {
            Entry::Folder(key) => {
                let name = key.rsplit('/').next().unwrap_or(&key);
                folder.folders.push(name.to_owned());
            }
            Entry::Key(found) => folder.keys.push(found),
        })?;
        Ok(folder)
    }

    pub(super) fn walk(&self, prefix: &str, visit: Visit<'_>) -> Result<(), StoreError> {
        let mut pending = vec![prefix.to_owned()];
        while let Some(prefix) = pending.pop() {
            self.entries(&prefix, &mut |entry| match entry {
                Entry::Folder(key) => pending.push(key),
                Entry::Key(found) => visit(found),
            })?;
        }
        Ok(())
    }

    fn entries(&self, prefix: &str, hear: &mut dyn FnMut(Entry)) -> Result<(), StoreError> {
        let entries = match fs::read_dir(self.root.join(prefix)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(self.failed(prefix, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| self.failed(prefix, &error))?;
            // Keys are UTF-8; a file of another name is not of ours.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let key = match prefix {
                "" => name.clone(),
                prefix => format!("{prefix}/{name}"),
            };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Renamed or removed meanwhile.
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(self.failed(&key, &error)),
            };
            if !metadata.is_dir() {
                let modified = metadata.modified().ok();
                let since = modified.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
                hear(Entry::Key(Found {
                    key,
                    size: metadata.len(),
                    modified_ms: since.map_or(0, |since| since.as_millis() as u64),
                }));
            } else if name != METADATA_FOLDER && entry.path() != self.temporary {
                hear(Entry::Folder(key));
            }
        }
        Ok(())
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.root.join(key)) {
            Err(error) if !is_absent(&error) => Err(self.failed(key, &error)),
            _ => Ok(()),
        }
    }

    pub(super) fn remove(&self, key: &str) {
        let target = self.root.join(key);
        discard(&target);
        if let Some(parent) = target.parent() {
            // Fails while another probe is at work there, and that one removes it.
            let _ = fs::remove_dir(parent);
        }
    }

    /// Removes what killed processes left in the temporary folder long ago.
    pub(super) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.temporary) else {
            return;
        };
        for entry in entries.flatten() {
            let age = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
                .and_then(|modified| SystemTime::now().duration_since(modified).ok());
            if age.is_some_and(|age| age > TEMPORARY_AGE) {
                discard(&entry.path());
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn temporary_path(&self) -> PathBuf {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        // Process ids repeat between containers that share a folder; a clash is caught by `create_new`.
        let salt = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos());
        self.temporary
            .join(format!("{}-{number}-{salt:x}", std::process::id()))
    }

    fn create_temporary(&self) -> io::Result<(File, PathBuf)> {
        let path = self.temporary_path();
        let file = with_parent(&path, || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
        })?;
        Ok((file, path))
    }

    fn write_temporary<'a>(
        &self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<PathBuf> {
        let (mut file, path) = self.create_temporary()?;
        for piece in pieces {
            file.write_all(piece).inspect_err(|_| discard(&path))?;
        }
        Ok(path)
    }

    fn copy_temporary(&self, from: &Path) -> io::Result<PathBuf> {
        let (mut file, path) = self.create_temporary()?;
        let mut copy = || io::copy(&mut File::open(from)?, &mut file);
        copy().inspect_err(|_| discard(&path))?;
        Ok(path)
    }

    fn failed(&self, key: &str, error: &io::Error) -> StoreError {
        StoreError::from_io(self.root.join(key).display().to_string(), error)
    }
}

/// What a folder holds.
enum Entry {
    Folder(String),
    Key(Found),
}

/// Moves a finished file to its key unless the key is there.
fn publish(file: &Path, target: &Path) -> io::Result<Put> {
    let renamed = with_parent(target, || {
        rustix::fs::renameat_with(CWD, file, CWD, target, RenameFlags::NOREPLACE)
            .map_err(io::Error::from)
    });
    match renamed {
        Ok(()) => Ok(Put::Created),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Existed),
        // Old kernels and some network file systems cannot rename without replacing; all of those can link.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            match fs::hard_link(file, target) {
                Ok(()) => {
                    discard(file);
                    Ok(Put::Created)
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Existed),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Does `work`, and if it fails for want of the target's folder, makes that folder and does it again.
fn with_parent<T>(target: &Path, mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match work() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            work()
        }
        other => other,
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn discard(path: &Path) {
    // What cannot be removed now is swept later.
    let _ = fs::remove_file(path);
}
