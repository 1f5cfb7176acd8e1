//! `plan.json`: what the shim knows about a flow. It lies at the root of the code package.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json_text::Members;

/// Name of the file at the root of the code package.
pub const FILE_NAME: &str = "plan.json";

/// A flow as the shim needs it. Holds no compiler version: the package's digest depends on the flow alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`crate::PROTOCOL`] of the writer.
    pub protocol: u32,
    /// Name of the flow and of its class.
    pub flow: String,
    /// Path of the flow file below the package's root, with `/`.
    pub file: String,
    /// The first step.
    pub start: String,
    /// The last step.
    pub end: String,
    /// What happens to a foreach over nothing.
    #[serde(default)]
    pub empty_foreach: EmptyForeach,
    /// In source order.
    pub parameters: Vec<Parameter>,
    /// By name; each step after all its parents.
    pub steps: IndexMap<String, Step>,
    /// `@trigger` or `@trigger_on_finish`: what starts runs, in the order of `FLOWC_TRIGGER_<n>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// `@project`'s name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The project's branch: `prod`, `prod.b`, `test.b` or `user.ann`; that of whoever runs it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Values of the configurations, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub configs: Members,
    /// Those that JSON would change or lacks.
    #[serde(default, skip_serializing_if = "ConfigTexts::is_empty")]
    pub config_texts: ConfigTexts,
    /// Decorators of the option `--with`, for the mutators of a flow that cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<String>,
    /// `@exit_hook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_hooks: Option<ExitHooks>,
    /// Metaflow's `_graph_info`, stored as an artifact and shown by its client.
    pub graph_info: Value,
}

impl Manifest {
    /// The system tags by which Metaflow's client finds runs of a project and of its branch.
    pub fn project_tags(&self) -> Vec<String> {
        let project = self.project.iter().map(|name| format!("project:{name}"));
        let branch = self.project.as_ref().and(self.branch.as_ref());
        let branch = branch.map(|name| format!("project_branch:{name}"));
        project.chain(branch).collect()
    }

    /// Whether the tasks of a step are the nodes of a gang.
    #[must_use]
    pub fn is_gang(&self, step: &Step) -> bool {
        let split = step.foreach.last().and_then(|split| self.steps.get(split));
        split.is_some_and(|split| split.gang)
    }
}

/// Values of configurations that are no JSON, by name: text that Python wrote and that Python reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigTexts {
    /// Literals, with `float('nan')` and the like, `set((1,))` and `frozenset(())` besides.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub literal: IndexMap<String, String>,
    /// Pickles as base64; only in runs on this machine.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub pickle: IndexMap<String, String>,
}

impl ConfigTexts {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.pickle.is_empty()
    }
}

/// Functions that are called once a run is over, in order: `function` of the flow's file, or `module.function`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitHooks {
    /// If the end step has ended well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_success: Vec<String>,
    /// Otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_error: Vec<String>,
}

/// What happens when a foreach iterates over nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyForeach {
    /// The splitting task fails, as in Metaflow; `@retry` tries it again.
    #[default]
    Fail,
    /// The join runs on no inputs.
    Join,
}

/// A parameter of the flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name on the command line.
    pub name: String,
    /// Attribute of the flow's class.
    pub attribute: String,
    /// Type of one value.
    #[serde(rename = "type")]
    pub ty: ParameterType,
    /// Default; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Python has the default: it is computed when the run starts, or is a value that JSON would change or lacks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub computed_default: bool,
    /// Whether a value must be given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// A string value is split at this separator into a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
}

/// What starts a run; all of a flow's triggers must have come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Trigger {
    /// An event is published.
    Event {
        /// Its name.
        name: String,
        /// Field of the event's payload by the parameter that takes its value.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        parameters: IndexMap<String, String>,
    },
    /// A run of another flow ends well.
    Run {
        /// Name of the event, `metaflow.<flow>.end` with the project in front of the flow.
        name: String,
        /// Name of the other flow's class.
        flow: String,
    },
}

impl Trigger {
    /// Name of the event.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Event { name, .. } | Self::Run { name, .. } => name,
        }
    }
}

/// Type of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// A string.
    Str,
    /// An integer.
    Int,
    /// A float.
    Float,
    /// A boolean.
    Bool,
    /// Any JSON value.
    Json,
}

/// A step of the flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it does to the graph.
    #[serde(rename = "type")]
    pub kind: StepKind,
    /// Names of the successors, in order.
    pub next: Vec<String>,
    /// Names of the predecessors; for a join in the order of the split's branches. The start step has none.
    pub parents: Vec<String>,
    /// Open foreach splits around it, outermost first; as many as its index path has indices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreach: Vec<String>,
    /// Artifact that a foreach split iterates over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The elements of a foreach split are the nodes of a gang: its one successor runs in all of them at the same time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gang: bool,
    /// Artifact by which a switch chooses one of `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The switch may also choose its own step, which then runs again as its next iteration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeats: bool,
    /// A switch may pass the step by.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
    /// The split that a join closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Retries of user code, 0 to 4.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Pause before a retry, seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_delay_s: u32,
    /// Seconds after which user code is interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// `@catch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch: Option<Catch>,
    /// `@environment`, set for user code before the flow file is executed.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub environment: IndexMap<String, String>,
    /// `@secrets`, fetched before user code starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Secrets>,
}

/// What a step does to the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// One successor.
    Linear,
    /// Several successors side by side.
    Split,
    /// One successor, once per element.
    Foreach,
    /// Closes a split.
    Join,
    /// Several successors of which one runs.
    Switch,
    /// No successor.
    End,
}

/// `@catch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catch {
    /// Artifact that takes the exception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Whether the traceback is printed.
    pub print_exception: bool,
}

/// `@secrets`: references, never values, but for the backend `inline`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secrets {
    /// In order.
    pub sources: Vec<SecretSource>,
    /// Role to fetch them with, where a source names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether they may replace variables that are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_override: bool,
}

/// A source of [`Secrets`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretSource {
    /// Where it is kept, by Metaflow's name; absent where the task's environment says it.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Its name or ARN there.
    pub id: String,
    /// How it is made into variables.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// Role to fetch it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
