//! Lists the harness's files, so that the shim carries whatever lies in `python/flowc/`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?)
        .join("python")
        .join("flowc");
    let mut files = Vec::new();
    for folder in [folder.clone(), folder.join("names")] {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "py") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for path in &files {
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy();
        // Writing to a string cannot fail.
        let _ = writeln!(list, "    ({name:?}, include_str!({:?})),", path.display());
    }
    list.push_str("]\n");
    let target = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&target).join("harness_files.rs"), list)?;
    println!("cargo::rerun-if-changed={}", folder.display());
    Ok(())
}
