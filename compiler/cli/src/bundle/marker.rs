//! The marker file: whose a bundle is, and which files it has.

use std::collections::BTreeSet;
use std::path::{Component, Path};

/// What its first line begins with.
const OWNER: &str = "owner: ";

/// What a marker says.
#[derive(Default)]
pub(super) struct Marker {
    /// Target and flow.
    pub(super) owner: Option<String>,
    /// Files of the bundle.
    pub(super) names: BTreeSet<String>,
}

impl Marker {
    /// The marker is a file that anybody can edit: only names below the folder are believed.
    pub(super) fn parse(text: &str) -> Self {
        let owner = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix(OWNER));
        let names = text.lines().skip(usize::from(owner.is_some()));
        Self {
            owner: owner.map(str::to_owned),
            names: names
                .filter(|name| is_plain_name(name))
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The marker of a bundle with these files.
pub(super) fn text<'n>(owner: &str, names: impl Iterator<Item = &'n str>) -> String {
    let mut text = format!("{OWNER}{owner}\n");
    for name in names {
        text.push_str(name);
        text.push('\n');
    }
    text
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}
