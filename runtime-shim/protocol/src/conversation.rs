//! The frames that shim and harness exchange; `docs/shim-protocol.md` tells when.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json_text::Members;
use crate::manifest::{Catch, ConfigTexts, EmptyForeach, Parameter, Secrets, StepKind};
use crate::trigger::Started;

/// Longest frame, in bytes.
pub const FRAME_MAX: u32 = 64 << 20;

/// Longest pickle that travels inside a frame, in bytes; longer ones go by spool file.
pub const INLINE_MAX: u64 = 64 << 10;

/// What the harness says.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum FromHarness {
    /// The first frame.
    Hello {
        /// [`crate::PROTOCOL`] of the harness.
        protocol: u32,
        /// `sys.version`.
        python: String,
    },
    /// An artifact of the task, or of `_parameters` before the frame `parameters`.
    Artifact(Artifact),
    /// The first `size` bytes of a spool file are written; the frame of its artifact comes when all are.
    Spooled {
        /// Spool file.
        path: String,
        /// Bytes that will not change any more.
        size: u64,
    },
    /// Asks to commit the artifacts sent so far as the task `_parameters`.
    Parameters {},
    /// Asks for an artifact of a parent.
    Load {
        /// Index into the task's `inputs`.
        input: usize,
        /// The artifact.
        name: String,
    },
    /// Asks whether a file that was handed over before it was verified is what it should be.
    Check {
        /// As in the answer to the load.
        number: usize,
    },
    /// Asks for the artifacts of an input that was sent without them.
    Objects {
        /// Index into the task's `inputs`.
        input: usize,
    },
    /// Asks for the artifacts of the end task of the run that started this one, or for one of them.
    Elsewhere {
        /// Index into the task's `triggers`.
        trigger: usize,
        /// The artifact.
        #[serde(default)]
        name: Option<String>,
    },
    /// Asks for a secret of AWS Secrets Manager.
    Secret(SecretWanted),
    /// Asks that texts be hidden in what user code prints from now on.
    Hide {
        /// In every spelling that is known.
        texts: Vec<String>,
    },
    /// User code has ended and all artifacts were sent.
    Finish(Finish),
}

/// A secret that a step refers to.
#[derive(Debug, Deserialize)]
pub struct SecretWanted {
    /// Name or ARN.
    pub id: String,
    /// Where it is kept; the shim's own region if absent.
    #[serde(default)]
    pub region: Option<String>,
    /// ARN of a role to read it with.
    #[serde(default)]
    pub role: Option<String>,
}

/// A value that the task leaves: one of `data`, `path` with `size`, or `input` with `from`.
#[derive(Debug, Deserialize)]
pub struct Artifact {
    /// Name.
    pub name: String,
    /// `str(type(value))`; absent for an artifact of an input.
    #[serde(rename = "type", default)]
    pub ty: Option<String>,
    /// Base64 of a small pickle.
    #[serde(default)]
    pub data: Option<String>,
    /// Spool file that holds the pickle.
    #[serde(default)]
    pub path: Option<String>,
    /// Size of the spool file.
    #[serde(default)]
    pub size: Option<u64>,
    /// Index into the task's `inputs`.
    #[serde(default)]
    pub input: Option<usize>,
    /// Name of the artifact there.
    #[serde(default)]
    pub from: Option<String>,
}

/// How user code ended.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Finish {
    /// Without an exception, or `catch` took it.
    pub ok: bool,
    /// Number of elements after a foreach split.
    #[serde(default)]
    pub count: Option<u32>,
    /// The step that a switch chose.
    #[serde(default)]
    pub next: Option<String>,
    /// What was raised.
    #[serde(default)]
    pub exception: Option<Exception>,
    /// False if another attempt would be useless; absent means true.
    #[serde(default)]
    pub retry: Option<bool>,
    /// Something else than user code failed.
    #[serde(default)]
    pub fault: Option<Fault>,
}

/// A failure of the harness's surroundings.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// Code of an [`crate::exit::Exit`].
    pub exit: u8,
    /// One line for people.
    pub message: String,
}

/// What user code raised.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Exception {
    /// Class.
    #[serde(rename = "type", default)]
    pub ty: String,
    /// `str(exception)`.
    #[serde(default)]
    pub message: String,
    /// One line for people.
    #[serde(default)]
    pub line: String,
    /// The user's own traceback.
    #[serde(default)]
    pub traceback: Option<String>,
}

/// The frame that starts a task.
#[derive(Debug, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a frame, whose fields are independent facts"
)]
pub struct Task<'a> {
    /// `"task"`.
    pub op: &'static str,
    /// [`crate::PROTOCOL`] of the shim.
    pub protocol: u32,
    /// Name of the flow.
    pub flow: &'a str,
    /// Absolute path of the flow file.
    pub file: &'a str,
    /// Whether this is the first step.
    pub start: bool,
    /// Name of the step.
    pub step: &'a str,
    /// What the step does to the graph.
    pub kind: StepKind,
    /// Successors.
    pub next: &'a [String],
    /// Artifact that a foreach split iterates over.
    pub variable: Option<&'a str>,
    /// Artifact by which a switch chooses one of `next`.
    pub condition: Option<&'a str>,
    /// The iteration of a step that may choose itself again, from 0; its targets are `next` and the step itself.
    pub iteration: Option<u32>,
    /// Run id.
    pub run_id: &'a str,
    /// Task id.
    pub task_id: &'a str,
    /// The claimed attempt.
    pub attempt: u32,
    /// Retries of user code.
    pub retries: u32,
    /// The run that is resumed.
    pub origin_run_id: Option<&'a str>,
    /// Index path, outermost first.
    pub index: &'a [u32],
    /// Open foreaches, outermost first.
    pub foreach: &'a [Frame],
    /// The task is a node of a gang: of the innermost foreach, whose elements are the nodes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gang: bool,
    /// What happens to a foreach over nothing.
    pub empty_foreach: EmptyForeach,
    /// A join over nothing: its one input is the splitting task, and user code sees none.
    pub empty: bool,
    /// Seconds after which user code is interrupted.
    pub timeout_s: Option<u32>,
    /// `@catch`.
    pub catch: Option<&'a Catch>,
    /// `@secrets`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<&'a Secrets>,
    /// Whether `catch` acts on this attempt.
    pub last_attempt: bool,
    /// Tags of the run.
    pub tags: &'a [String],
    /// Who runs it.
    pub username: &'a str,
    /// Namespace of the run.
    pub namespace: Option<&'a str>,
    /// Namespace of Metaflow's client in user code, empty for that of all; its own choice if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_namespace: Option<&'a str>,
    /// `@project`.
    pub project: Option<Value>,
    /// Where the harness writes spool files.
    pub spool_dir: &'a str,
    /// Socket that the harness may connect to at any time, to speak over another connection.
    pub door: Option<&'a str>,
    /// Given values; only for the first step.
    pub parameters: Option<&'a Members>,
    /// Where values that an event brought come from, by parameter, for people; only for the first step.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub origins: &'a IndexMap<String, String>,
    /// What started the run, the latest first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub triggers: &'a [Started],
    /// All parameters of the flow.
    pub parameter_specs: &'a [Parameter],
    /// Values of the flow's configurations, by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub configs: &'a Members,
    /// Those that JSON would change or lacks.
    #[serde(skip_serializing_if = "ConfigTexts::is_empty")]
    pub config_texts: &'a ConfigTexts,
    /// Decorators of the option `--with`, for mutators to see.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub attached: &'a [String],
    /// Metaflow's `_graph_info`; only for the first step.
    pub graph_info: Option<&'a Value>,
    /// Parents, in order.
    pub inputs: &'a [Input],
}

/// An open foreach around a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// First step of the body, as Metaflow's `_foreach_stack` names it.
    pub step: String,
    /// Artifact that was iterated over.
    pub variable: String,
    /// Number of elements.
    pub count: u32,
    /// Index of this task's element.
    pub index: u32,
}

/// The result of a parent task.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Step of the parent.
    pub step: String,
    /// Its task id.
    pub task_id: String,
    /// `<flow>/<run>/<step>/<task>`.
    pub pathspec: String,
    /// Its artifacts by name; `None` where the harness is to ask for them.
    pub objects: Option<BTreeMap<String, Object>>,
}

/// An artifact in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Sha1 of the pickle, 40 hex digits.
    pub key: String,
    /// Size of the pickle, bytes.
    pub size: u64,
    /// `str(type(value))`.
    #[serde(rename = "type")]
    pub ty: String,
    /// As recorded; all encodings are opened by `pickle.loads`.
    pub encoding: String,
}
