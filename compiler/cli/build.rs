//! Builds the table of pages that `flowc explain` shows, from `docs/diagnostics/`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    let pages = manifest.join("../../docs/diagnostics");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&pages)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(code) = name.strip_suffix(".md") {
            names.push(code.to_owned());
        }
    }
    names.sort();
    let mut table = String::from("static PAGES: &[(&str, &str)] = &[\n");
    for code in &names {
        let page = fs::canonicalize(pages.join(format!("{code}.md")))?;
        println!("cargo::rerun-if-changed={}", page.display());
        let _ = writeln!(
            table,
            "    ({code:?}, include_str!({:?})),",
            page.display().to_string()
        );
    }
    table.push_str("];\n");
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    fs::write(Path::new(&out).join("pages.rs"), table)
}
