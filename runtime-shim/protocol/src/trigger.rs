//! What started a run, as a run remembers it and as Metaflow's client reads it (`execution-triggers`).

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// An event, or a run that finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// When it happened, seconds since the epoch.
    pub timestamp: Option<Number>,
    /// Of a run the pathspec of its end task, `Flow/run/end/t`.
    pub id: Option<String>,
    /// Name of the event; of a run `metaflow.<flow>.end`.
    pub name: String,
    /// What it was.
    #[serde(rename = "type")]
    pub kind: Kind,
}

/// What can start a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An event.
    Event,
    /// A run of another flow that ended well.
    Run,
}
