//! Reading the author's files: the flow and the nearest `flowc.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// `file.py` or `file.py:Class`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlowArgument {
    /// As typed.
    pub(crate) path: PathBuf,
    /// The part after the colon.
    pub(crate) class: Option<String>,
}

impl FlowArgument {
    /// Splits at the last colon if a class name follows it.
    pub(crate) fn parse(text: &str) -> Self {
        let class_name = |name: &str| {
            name.chars().all(|c| c.is_alphanumeric() || c == '_')
                && name.starts_with(|c: char| !c.is_ascii_digit())
        };
        match text.rsplit_once(':') {
            Some((path, class)) if !path.is_empty() && class_name(class) => Self {
                path: path.into(),
                class: Some(class.to_owned()),
            },
            _ => Self {
                path: text.into(),
                class: None,
            },
        }
    }

    /// The flow file's text.
    pub(crate) fn read(&self) -> anyhow::Result<String> {
        let shown = self.path.display();
        if self.path.is_dir() {
            bail!("{shown} is a folder; name the flow's file, as in {shown}/flow.py");
        }
        let bytes =
            fs::read(&self.path).with_context(|| format!("cannot read the flow {shown}"))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                bail!("{shown} is not UTF-8: byte {offset} does not belong; save the file as UTF-8")
            }
        }
    }

    /// The folder that holds the flow: the root of its source tree and of its code package.
    pub(crate) fn root(&self) -> PathBuf {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Name of the file below its root.
    pub(crate) fn file_name(&self) -> String {
        self.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// What people see before the file's name: the folder as they typed it.
    pub(crate) fn shown_below(&self) -> String {
        let typed = self.path.to_string_lossy();
        let name = self.file_name();
        typed
            .strip_suffix(name.as_str())
            .unwrap_or_default()
            .to_owned()
    }
}

/// The `flowc.toml` nearest above `folder`, if there is one.
pub(crate) fn nearest_settings(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let absolute =
        fs::canonicalize(folder).with_context(|| format!("cannot resolve {}", folder.display()))?;
    for (level, ancestor) in absolute.ancestors().enumerate() {
        if ancestor.join("flowc.toml").is_file() {
            // Kept relative, so that no absolute path reaches a message that a test or a colleague compares.
            let mut path = folder.to_owned();
            path.extend(std::iter::repeat_n("..", level));
            return Ok(Some(path.join("flowc.toml")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_what_follows_the_last_colon() {
        let plain = FlowArgument::parse("flows/train.py");
        assert_eq!(
            (plain.file_name().as_str(), plain.class.as_deref()),
            ("train.py", None)
        );
        assert_eq!(plain.shown_below(), "flows/");
        let chosen = FlowArgument::parse("train.py:TrainFlow");
        assert_eq!(
            (chosen.path.to_str(), chosen.class.as_deref()),
            (Some("train.py"), Some("TrainFlow"))
        );
        assert_eq!(chosen.root(), PathBuf::from("."));
        assert_eq!(FlowArgument::parse("c:/x.py").class, None);
    }
}
