//! The code package: fetched, checked against its digest, and unpacked.
//!
//! The digest is that of the uncompressed tar, and is checked before a single file is written.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use flowc_protocol::exit::Exit;
use flowc_protocol::identity::package_key;
use flowc_protocol::json_text::JsonText;
use flowc_protocol::known::hex;
use flowc_protocol::manifest::{FILE_NAME, Manifest};
use flowc_protocol::package::{FILES_MAX, SIZE_MAX};
use flowc_protocol::{PROTOCOL, PROTOCOL_MIN};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::TaskError;
use crate::store::{Store, StoreError};

/// Fetches a package (`<Flow>/<sha256>`) and unpacks it below `work`; the folder that holds its files.
pub async fn fetch(store: &Store, name: &str, work: &Path) -> Result<PathBuf, TaskError> {
    let Packed {
        object,
        bytes,
        sha256,
    } = get(store, name).await?;
    let work = work.to_owned();
    tokio::task::spawn_blocking(move || unpack(&object, &bytes, &sha256, &work))
        .await
        .unwrap_or_else(|error| Err(configuration(error.to_string())))
}

/// Fetches a package and reads the plan in it; unpacks nothing else, and runs nothing.
pub async fn fetch_plan(store: &Store, name: &str) -> Result<Manifest, TaskError> {
    let Packed {
        object,
        bytes,
        sha256,
    } = get(store, name).await?;
    let read = move || {
        let folder = std::env::temp_dir();
        let mut tar = spool(&object, &bytes, &sha256, &folder)?;
        let mut plan = Vec::new();
        find_plan(&mut tar, &mut plan)
            .map_err(|error| broken(&object, &error.to_string()))
            .and_then(|()| parse_plan(&plan, &format!("{FILE_NAME} of {object}")))
    };
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| Err(configuration(error.to_string())))
}

/// A package as it lies in the store.
struct Packed {
    /// Where, for messages.
    object: String,
    bytes: bytes::Bytes,
    /// As its name says.
    sha256: String,
}

async fn get(store: &Store, name: &str) -> Result<Packed, TaskError> {
    let Some((flow, sha256)) = name.rsplit_once('/').filter(|(_, sha256)| {
        sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    }) else {
        return Err(configuration(format!(
            "`{name}` names no code package; it has the form <Flow>/<sha256>"
        )));
    };
    let key = package_key(flow, sha256);
    let Some(bytes) = store.get(&key).await? else {
        return Err(configuration(format!(
            "the code package {} is not in the store; deploy the flow again",
            store.locate(&key)
        )));
    };
    Ok(Packed {
        object: store.locate(&key),
        bytes,
        sha256: sha256.to_owned(),
    })
}

/// Puts a package (an uncompressed tar) under its key, unless it is there.
pub async fn put(store: &Store, key: &str, tar: &[u8]) -> Result<(), StoreError> {
    // The key is the digest of the uncompressed bytes, so the level of compression is of no consequence.
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let bytes = match packed.write_all(tar).and_then(|()| packed.finish()) {
        Ok(bytes) => bytes,
        Err(error) => return Err(StoreError::from_io(store.locate(key), &error)),
    };
    store.put_new(key, bytes.into()).await.map(|_| ())
}

/// Reads `plan.json` of an unpacked package and checks that this shim can run it.
pub fn read_plan(code: &Path) -> Result<Manifest, TaskError> {
    let path = code.join(FILE_NAME);
    let shown = path.display();
    let text = fs::read(&path)
        .map_err(|error| configuration(format!("{shown} cannot be read: {error}")))?;
    parse_plan(&text, &shown.to_string())
}

/// What every version of a plan says of itself.
#[derive(Deserialize)]
struct Version {
    #[serde(default = "unversioned")]
    protocol: JsonText,
}

fn unversioned() -> JsonText {
    JsonText::from(serde_json::Value::Null)
}

fn parse_plan(text: &[u8], shown: &str) -> Result<Manifest, TaskError> {
    // Never by way of a `Value`, which rounds the numbers of configurations.
    let Version { protocol } = serde_json::from_slice(text)
        .map_err(|error| configuration(format!("{shown} is no JSON: {error}")))?;
    check_protocol(
        protocol
            .value()
            .and_then(|it| it.as_u64())
            .unwrap_or_default(),
        "the code package",
    )?;
    serde_json::from_slice(text)
        .map_err(|error| configuration(format!("{shown} is not a plan: {error}")))
}

/// Refuses a protocol that this shim does not run, naming both.
pub fn check_protocol(protocol: u64, whose: &str) -> Result<(), TaskError> {
    if (u64::from(PROTOCOL_MIN)..=u64::from(PROTOCOL)).contains(&protocol) {
        return Ok(());
    }
    Err(configuration(format!(
        "{whose} has protocol {protocol}, this shim runs {PROTOCOL_MIN} to {PROTOCOL}: deploy the flow again, or use a shim of the same version"
    )))
}

fn unpack(object: &str, packed: &[u8], sha256: &str, work: &Path) -> Result<PathBuf, TaskError> {
    let tar = spool(object, packed, sha256, work)?;
    let code = work.join("code");
    // What an earlier attempt in the same folder left may be half of it.
    if code.exists() {
        fs::remove_dir_all(&code).map_err(|error| machine(work, &error))?;
    }
    extract(tar, &code).map_err(|error| error.about(object, work))?;
    Ok(code)
}

/// The uncompressed tar in a nameless file of `work`, once its digest is found to be right.
fn spool(object: &str, packed: &[u8], sha256: &str, work: &Path) -> Result<File, TaskError> {
    let on_disk = |error: io::Error| machine(work, &error);
    fs::create_dir_all(work).map_err(on_disk)?;
    let mut tar = tempfile::tempfile_in(work).map_err(on_disk)?;
    let found = copy_and_digest(packed, &mut tar).map_err(|error| error.about(object, work))?;
    if found != sha256 {
        return Err(broken(object, &format!("its digest is {found}")));
    }
    tar.seek(SeekFrom::Start(0)).map_err(on_disk)?;
    Ok(tar)
}

fn find_plan(tar: &mut File, plan: &mut Vec<u8>) -> io::Result<()> {
    let mut archive = tar::Archive::new(io::BufReader::new(tar));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_os_str() == FILE_NAME {
            entry.read_to_end(plan)?;
            return Ok(());
        }
    }
    Err(io::Error::other(format!("it holds no {FILE_NAME}")))
}

fn broken(object: &str, what: &str) -> TaskError {
    TaskError::new(
        Exit::Corrupt,
        format!("the code package {object} is corrupt: {what}; deploy the flow again"),
    )
}

fn machine(work: &Path, error: &io::Error) -> TaskError {
    TaskError::new(
        Exit::Machine,
        format!(
            "the code package cannot be unpacked in {}: {error}",
            work.display()
        ),
    )
}

fn copy_and_digest(packed: &[u8], output: &mut File) -> Result<String, Refused> {
    let mut sha256 = Sha256::new();
    let mut plain = MultiGzDecoder::new(packed);
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        let length = plain
            .read(&mut buffer)
            .map_err(|error| Refused::Entry(error.to_string()))?;
        if length == 0 {
            return Ok(hex(&sha256.finalize()));
        }
        size += length as u64;
        if size > SIZE_MAX {
            return Err(Refused::Entry("it is larger than 2 GiB".to_owned()));
        }
        sha256.update(&buffer[..length]);
        output
            .write_all(&buffer[..length])
            .map_err(Refused::Machine)?;
    }
}

enum Refused {
    Entry(String),
    Machine(io::Error),
}

impl Refused {
    fn about(self, object: &str, work: &Path) -> TaskError {
        match self {
            Self::Entry(what) => broken(object, &what),
            Self::Machine(error) => machine(work, &error),
        }
    }
}

/// Only plain files and folders below the target; the writer makes nothing else.
fn extract(tar: File, target: &Path) -> Result<(), Refused> {
    let unreadable = |error: io::Error| Refused::Entry(error.to_string());
    fs::create_dir_all(target).map_err(Refused::Machine)?;
    let mut archive = tar::Archive::new(io::BufReader::new(tar));
    for (count, entry) in archive.entries().map_err(unreadable)?.enumerate() {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.into_owned();
        let shown = path.display();
        if count >= FILES_MAX {
            return Err(Refused::Entry(format!(
                "it has more than {FILES_MAX} files"
            )));
        }
        let is_below = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !is_below {
            return Err(Refused::Entry(format!("`{shown}` lies outside of it")));
        }
        let here = target.join(&path);
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            fs::create_dir_all(&here).map_err(Refused::Machine)?;
            continue;
        }
        if !kind.is_file() {
            return Err(Refused::Entry(format!("`{shown}` is no plain file")));
        }
        if let Some(parent) = here.parent() {
            fs::create_dir_all(parent).map_err(Refused::Machine)?;
        }
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let mut file = File::create_new(&here).map_err(Refused::Machine)?;
        io::copy(&mut entry, &mut file).map_err(Refused::Machine)?;
        if executable {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o755))
                .map_err(Refused::Machine)?;
        }
    }
    Ok(())
}

fn configuration(message: String) -> TaskError {
    TaskError::new(Exit::Configuration, message)
}
