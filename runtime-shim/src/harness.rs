//! The Python harness, which this library carries inside itself.

use std::io;
use std::path::{Path, PathBuf};

use flowc_protocol::known::hex;
use sha2::{Digest, Sha256};

/// Path and content of each file of `runtime-shim/python/flowc/`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/harness_files.rs"));

/// Writes the harness below `folder`, unless it is there, and returns the path of its entry, `harness.py`.
///
/// The place is named by the content, so that several versions can share a folder and it is written once; Python then
/// keeps the compiled modules there too.
pub fn install(folder: &Path) -> io::Result<PathBuf> {
    let home = folder.join(format!("harness-{}", digest()));
    let entry = home.join("flowc").join("harness.py");
    if entry.is_file() {
        return Ok(entry);
    }
    std::fs::create_dir_all(folder)?;
    let draft = tempfile::Builder::new()
        .prefix(".harness-")
        .tempdir_in(folder)?;
    let package = draft.path().join("flowc");
    std::fs::create_dir_all(package.join("names"))?;
    for (name, text) in FILES {
        std::fs::write(package.join(name), text)?;
    }
    match std::fs::rename(draft.path(), &home) {
        Ok(()) => {
            // The folder has its final name now, and there is nothing to clean up.
            let _ = draft.keep();
            Ok(entry)
        }
        // Another process was faster.
        Err(_) if entry.is_file() => Ok(entry),
        Err(error) => Err(error),
    }
}

fn digest() -> String {
    let mut sha256 = Sha256::new();
    for (name, text) in FILES {
        sha256.update(name.as_bytes());
        sha256.update([0]);
        sha256.update(text.as_bytes());
        sha256.update([0]);
    }
    hex(&sha256.finalize())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installing_twice_gives_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = install(folder.path()).unwrap();
        let second = install(folder.path()).unwrap();
        assert_eq!(first, second);
        assert!(first.is_file());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
