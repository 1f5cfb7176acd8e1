//! A store in a local folder.
//!
//! Files are written under the root's `.flowc-tmp` and then renamed without replacing, so that a key appears whole or
//! not at all. Safe against kills, not against power loss (DESIGN §3).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use super::list::METADATA_FOLDER;
use super::{Content, Encoding, Folder, Found, Put, SPOOL, StoreError, Visit};
use crate::crash;
use crate::held::{self, HeldFolder};

/// Metaflow's metadata of a raw blob, in a file beside it.
const RAW_METADATA: &[u8] = br#"{"cas_raw": true, "cas_version": 1}"#;

#[derive(Clone)]
pub(super) struct LocalStore {
    root: PathBuf,
    temporary: PathBuf,
    /// The root since it was seen first, held open so that no other folder can look the same.
    seen: Arc<OnceLock<File>>,
}

impl LocalStore {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(path).map_err(|error| StoreError::Url {
            url: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let temporary = root.join(".flowc-tmp");
        let store = Self {
            root,
            temporary,
            seen: Arc::default(),
        };
        store.look();
        Ok(store)
    }

    /// Remembers the root, once it is there.
    fn look(&self) {
        if self.seen.get().is_none()
            && let Ok(root) = open_folder(&self.root)
        {
            self.seen.get_or_init(|| root);
        }
    }

    /// Whether the root is still the folder that was seen first.
    fn is_whole(&self) -> bool {
        self.seen
            .get()
            .is_none_or(|seen| is_still(seen, &self.root))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A folder on the same file system, for files that are then renamed into the store.
    pub(super) fn spool(&self) -> Result<HeldFolder, StoreError> {
        let make = || HeldFolder::make(&self.temporary, SPOOL);
        self.with_parent(&self.temporary.join(SPOOL), make)
            .map_err(|error| self.failed_at(&self.temporary, &error))
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
        match fs::metadata(self.root.join(key)) {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(self.failed(key, &error)),
        }
    }

    pub(super) fn put(&self, key: &str, bytes: &[Bytes]) -> Result<(), StoreError> {
        let write = || {
            let draft = self.draft(bytes.iter().map(AsRef::as_ref))?;
            crash::point();
            let target = self.root.join(key);
            self.with_parent(&target, || fs::rename(&draft.path, &target))
                .inspect_err(|_| discard(&draft.path))
        };
        write().map_err(|error| self.failed(key, &error))
    }

    pub(super) fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let write = || {
            let draft = self.draft([bytes])?;
            crash::point();
            let put = self.publish(&draft.path, &self.root.join(key));
            if !matches!(put, Ok(Put::Created)) {
                discard(&draft.path);
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
            match store.publish(&file, &target) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    let draft = store.draft_copy(&file)?;
                    store
                        .publish(&draft.path, &target)
                        .inspect_err(|_| discard(&draft.path))
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
        self.with_parent(&target, || {
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
        held::sweep(&self.temporary);
    }

    /// Gives a key another name, which nothing has.
    pub(super) fn rename(&self, key: &str, to: &str) -> Result<(), StoreError> {
        let from = self.root.join(key);
        fs::rename(from, self.root.join(to)).map_err(|error| self.failed(key, &error))
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

    fn new_draft(&self) -> io::Result<Draft> {
        let path = self.temporary_path();
        let file = self.with_parent(&path, || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
        })?;
        held::hold(&file);
        Ok(Draft { file, path })
    }

    fn draft<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Draft> {
        let mut draft = self.new_draft()?;
        for piece in pieces {
            draft
                .file
                .write_all(piece)
                .inspect_err(|_| discard(&draft.path))?;
        }
        Ok(draft)
    }

    fn draft_copy(&self, from: &Path) -> io::Result<Draft> {
        let mut draft = self.new_draft()?;
        let mut copy = || io::copy(&mut File::open(from)?, &mut draft.file);
        copy().inspect_err(|_| discard(&draft.path))?;
        Ok(draft)
    }

    /// Moves a finished file to its key unless the key is there.
    fn publish(&self, file: &Path, target: &Path) -> io::Result<Put> {
        let renamed = self.with_parent(target, || {
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
    ///
    /// A root that was removed is not made again: what a task starts from was in it.
    fn with_parent<T>(
        &self,
        target: &Path,
        mut work: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        match work() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.is_whole() {
                    return Err(io::Error::new(error.kind(), Removed));
                }
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                self.look();
                work()
            }
            other => other,
        }
    }

    fn failed(&self, key: &str, error: &io::Error) -> StoreError {
        self.failed_at(&self.root.join(key), error)
    }

    fn failed_at(&self, path: &Path, error: &io::Error) -> StoreError {
        let inner = error.get_ref();
        if inner
            .and_then(|inner| inner.downcast_ref::<Removed>())
            .is_some()
        {
            return StoreError::Removed {
                root: self.root.display().to_string(),
            };
        }
        StoreError::from_io(path.display().to_string(), error)
    }
}

/// A file that has no key yet. It is held, so that no sweep takes it.
struct Draft {
    file: File,
    path: PathBuf,
}

/// The root is not what it was.
#[derive(Debug, thiserror::Error)]
#[error("the store was removed or replaced")]
struct Removed;

/// Opens a folder, so that it can be compared with what has its name later.
pub fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Whether a path leads to the folder that was opened, as far as can be seen.
pub fn is_still(opened: &File, path: &Path) -> bool {
    match (opened.metadata(), fs::metadata(path)) {
        (Ok(then), Ok(now)) => (then.dev(), then.ino()) == (now.dev(), now.ino()),
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        (Err(_), Ok(_)) => true,
    }
}

/// What a folder holds.
enum Entry {
    Folder(String),
    Key(Found),
}

/// Whether an error of reading says that there is no such key: a name that no file can have, and one below a file, are
/// keys that nobody wrote.
fn is_absent(error: &io::Error) -> bool {
    let of_nothing = [
        io::ErrorKind::NotFound,
        io::ErrorKind::NotADirectory,
        io::ErrorKind::InvalidFilename,
    ];
    of_nothing.contains(&error.kind())
}

fn discard(path: &Path) {
    // What cannot be removed now is swept later.
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_went_away_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        let store = LocalStore::open(&root).unwrap();
        store.put_new("F/1/a", b"1").unwrap();
        // What is below it may be made as often as it is needed.
        fs::remove_dir_all(root.join("F")).unwrap();
        fs::remove_dir_all(store.temporary.clone()).unwrap();
        store.put_new("F/1/b", b"1").unwrap();
        fs::remove_dir_all(&root).unwrap();
        let is_removed = |error: &StoreError| matches!(error, StoreError::Removed { .. });
        assert!(is_removed(&store.put_new("F/1/c", b"1").unwrap_err()));
        assert!(is_removed(&store.append("F/1/c", b"1").unwrap_err()));
        assert!(is_removed(&store.spool().unwrap_err()));
        assert!(!root.exists());
        fs::create_dir(&root).unwrap();
        assert!(is_removed(
            &store.put("F/1/c", &[Bytes::from_static(b"1")]).unwrap_err()
        ));
        // Who opens it now finds what is there now.
        LocalStore::open(&root)
            .unwrap()
            .put_new("F/1/c", b"1")
            .unwrap();
    }

    #[test]
    fn a_key_that_nobody_can_have_written_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        store.put_new("file", b"1").unwrap();
        for key in [
            "no",
            "file/below",
            &"n".repeat(300),
            &format!("{}/x", "n".repeat(300)),
        ] {
            assert_eq!(store.get(key).unwrap(), None, "{key}");
            assert!(store.open_file(key).unwrap().is_none(), "{key}");
            assert!(!store.exists(key).unwrap(), "{key}");
            assert!(store.list(key).unwrap().keys.is_empty(), "{key}");
        }
        let error = store.put_new(&"n".repeat(300), b"1").unwrap_err();
        assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    }
}
