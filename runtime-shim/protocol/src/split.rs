//! `split.json`: what a foreach split leaves for an orchestrator that fans out over a document in the store.

use serde::{Deserialize, Serialize};

use crate::identity::{IndexPath, task_prefix};

/// Name of the object in the splitting task's folder.
pub const FILE_NAME: &str = "split.json";

/// The index paths of a foreach's tasks, in order: a JSON array of strings, `["0","1"]` or `["3-0","3-1"]`.
///
/// It holds strings, so that an orchestrator can hand an item on as it is.
/// It is written before `commit`, and empty for an empty foreach that goes straight to its join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Split(pub Vec<String>);

impl Split {
    /// The children of the splitting task at `parent`.
    pub fn new(parent: &IndexPath, count: u32) -> Self {
        Self(
            (0..count)
                .map(|index| parent.child(index).to_string())
                .collect(),
        )
    }
}

/// Key of the document, relative to the store's root: `<Flow>/<run>/<step>/<task>/split.json`.
pub fn split_key(flow: &str, run: &str, step: &str, index: &IndexPath) -> String {
    let task = task_prefix(flow, run, step, &index.task_id());
    format!("{task}/{FILE_NAME}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_an_array_of_strings() {
        let text = |split: &Split| serde_json::to_string(split).unwrap();
        assert_eq!(text(&Split::new(&IndexPath::root(), 2)), r#"["0","1"]"#);
        assert_eq!(text(&Split::new(&vec![3].into(), 2)), r#"["3-0","3-1"]"#);
        assert_eq!(text(&Split::new(&IndexPath::root(), 0)), "[]");
    }

    #[test]
    fn the_key_lies_in_the_task_folder() {
        assert_eq!(
            split_key("F", "sfn-x", "start", &IndexPath::root()),
            "F/sfn-x/start/t/split.json"
        );
        assert_eq!(
            split_key("F", "sfn-x", "outer", &vec![3].into()),
            "F/sfn-x/outer/t-3/split.json"
        );
    }
}
