//! What the tree is told of a run and its tasks.

use flowc_protocol::manifest::Manifest;
use flowc_protocol::trigger::Started;

/// Who made a run, and where its data is.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// Name of the flow.
    pub flow: String,
    /// Run id.
    pub run: String,
    /// Who runs it, as Metaflow finds it.
    pub user: String,
    /// Tags of the user.
    pub tags: Vec<String>,
    /// `user:ann`, `runtime:flowc`, …
    pub system_tags: Vec<String>,
    /// What Metaflow calls the store: `local`, `s3`, …
    pub ds_type: String,
    /// Root of the store: an absolute path or a URL.
    pub ds_root: String,
    /// The run that is resumed.
    pub origin_run: Option<String>,
    /// Name of the flow file, for `script-name`.
    pub script: String,
    /// What started the run, as its first step's name and JSON: Metaflow's client makes `Run.trigger` of it.
    pub triggers: Option<(String, String)>,
}

impl RunFacts {
    /// [`RunFacts::triggers`] of a run of this flow.
    #[must_use]
    pub fn triggers_of(manifest: &Manifest, started: &[Started]) -> Option<(String, String)> {
        if started.is_empty() {
            return None;
        }
        // Text keys and numbers only, so that this cannot fail.
        let json = serde_json::to_string(started).unwrap_or_default();
        Some((manifest.start.clone(), json))
    }
}

/// One attempt of one task.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Step name.
    pub step: &'a str,
    /// Task id.
    pub task: &'a str,
    /// Number of the attempt.
    pub number: u32,
    /// [`foreach_path`](super::foreach_path) of the task.
    pub path: &'a str,
    /// The gang that the task is a node of.
    pub gang: Option<Node>,
}

/// A node of a gang, as Metaflow's client knows it.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Nodes of the gang.
    pub nodes: u32,
    /// Whether it is the first, which is Metaflow's control task.
    pub is_control: bool,
}
