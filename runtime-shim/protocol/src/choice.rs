//! `choice.json`: what a switch leaves for an orchestrator that reads the choice from the store.

use serde::{Deserialize, Serialize};

use crate::identity::{IndexPath, task_prefix};

/// Name of the object in the switch's task folder; that of a step that repeats lies beside the pointer to its last iteration, in `t` or `t-3-1`.
pub const FILE_NAME: &str = "choice.json";

/// The step that a switch chose: `{"next":"name"}`. It is written after `commit`, and before the container ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Name of the step.
    pub next: String,
}

/// Key of the document, relative to the store's root: `<Flow>/<run>/<step>/<task>/choice.json`.
pub fn choice_key(flow: &str, run: &str, step: &str, index: &IndexPath) -> String {
    let task = task_prefix(flow, run, step, &index.task_id());
    format!("{task}/{FILE_NAME}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lies_in_the_task_folder() {
        let key = choice_key("F", "sfn-x", "pick", &vec![3].into());
        assert_eq!(key, "F/sfn-x/pick/t-3/choice.json");
        let next = "left".to_owned();
        let text = serde_json::to_string(&Choice { next }).unwrap();
        assert_eq!(text, r#"{"next":"left"}"#);
    }
}
