//! `flow.ir.json`: a flow as policy tools see it, the same for every target.
//!
//! It is a view with a version, not the compiler's own data: members are added under the same version,
//! and a member that changes its meaning or goes away makes a new one.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::{ParameterType, StepKind, Trigger};

/// Name of the file in a bundle.
pub const FILE_NAME: &str = "flow.ir.json";

/// The version that this build writes.
pub const VERSION: u32 = 1;

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowIr {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Name of the flow.
    pub flow: String,
    /// Path of the flow file below the root of its tree.
    pub file: String,
    /// The flow's docstring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// `@project`'s name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The project's branch: `prod`, `prod.b` or `test.b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// `@schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// `@trigger` or `@trigger_on_finish`: a run starts once all of them have come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// When those that have come are forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_reset: Option<Schedule>,
    /// Whether Python was run to learn attributes and parameters that cannot be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub described: bool,
    /// In source order.
    pub parameters: Vec<Parameter>,
    /// Each after all its predecessors.
    pub steps: Vec<Step>,
}

/// When runs start by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields, as in crontab.
    pub cron: String,
    /// IANA name; UTC if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name on the command line.
    pub name: String,
    /// Type of one value.
    #[serde(rename = "type")]
    pub ty: ParameterType,
    /// Default; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether a value must be given.
    pub required: bool,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Name.
    pub name: String,
    /// What it does to the graph.
    #[serde(rename = "type")]
    pub kind: StepKind,
    /// Line in the flow file, 1-based.
    pub line: u32,
    /// Names of the successors, in the order written.
    pub next: Vec<String>,
    /// Names of the open foreach splits around it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreach: Vec<String>,
    /// What a task asks for.
    pub resources: Resources,
    /// Image that the step itself names; absent where the profile decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Retries of user code.
    pub retries: u32,
    /// Seconds after which user code is interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// Whether `@catch` turns its failure into an artifact.
    pub catch: bool,
    /// Names of the variables that `@environment` sets; their values may be secret and are not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Sources of `@secrets` as `type.id`, or `id` where the environment says the type; never a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Other attributes of `@batch` and `@kubernetes`, by decorator.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub attributes: IndexMap<String, IndexMap<String, Value>>,
}

/// What a task asks for, defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu_milli: u32,
    /// MiB.
    pub memory_mib: u32,
    /// Whole GPUs.
    pub gpu: u32,
    /// MiB of scratch disk, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mib: Option<u32>,
    /// MiB of shared memory, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_memory_mib: Option<u32>,
}
