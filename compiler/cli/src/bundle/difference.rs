//! How a bundle differs from what is in its folder.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;
use similar::TextDiff;

use super::{Bundle, Kind, kind, read_text};

impl Bundle {
    /// What writing the bundle would change, as a unified diff; empty if nothing.
    pub(crate) fn diff(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for file in &self.files {
            let path = self.folder.join(&file.path);
            let present = match fs::read(&path) {
                Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", path.display()));
                }
            };
            write_diff(&mut text, &path, present.as_deref(), Some(&file.text));
        }
        let listed = self.look()?.unwrap_or_default();
        for name in listed {
            let path = self.folder.join(&name);
            let is_new = self.files.iter().any(|file| file.path == name);
            if !is_new && matches!(kind(&path)?, Kind::File) {
                write_diff(&mut text, &path, Some(&read_text(&path)?), None);
            }
        }
        Ok(text)
    }
}

fn write_diff(text: &mut String, path: &Path, old: Option<&str>, new: Option<&str>) {
    if old == new {
        return;
    }
    // Below `there` and `compiled` an absolute path is named like any other.
    let relative = path.strip_prefix("/").unwrap_or(path);
    let side = |side: &str, present: bool| {
        if present {
            Path::new(side).join(relative).display().to_string()
        } else {
            "/dev/null".to_owned()
        }
    };
    let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
    let mut unified = diff.unified_diff();
    let unified = unified.context_radius(3).header(
        &side("there", old.is_some()),
        &side("compiled", new.is_some()),
    );
    // Writing to a string cannot fail.
    let _ = write!(text, "{unified}");
}
