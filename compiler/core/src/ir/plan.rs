//! What back ends print: a checked flow with every name resolved and every default filled in.
//!
//! A `Plan` exists only if the checks found no error; then every `emit` returns text or a diagnostic and does not panic.
//! The same steps are given twice: as a flat DAG (`parents`, `next`) for Argo and Airflow, and as nested regions for Step Functions.

use indexmap::IndexMap;

use super::arena::{Arena, Handle};
use super::flow::{CaseKey, ConfigValue, Gang, Literal, ParameterType};
use super::project::Project;
pub use super::trigger::{EventName, ProjectBranch, Reset, Trigger, Triggers};
use crate::source::Span;

/// Handle of a [`PlanStep`] in [`Plan::steps`].
pub type StepId = Handle<PlanStep>;

/// A flow that passed all checks.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Class name of the flow; also its name everywhere else.
    pub flow: String,
    /// Path of the flow file relative to the root of the source tree, with `/`.
    pub file: String,
    /// Where the class is named.
    pub span: Span,
    /// The class's docstring.
    pub doc: Option<String>,
    /// Every step, each after all its predecessors; among those free to stand anywhere, source order decides.
    pub steps: Arena<PlanStep>,
    /// The step without parents; the first in `steps`.
    pub start: StepId,
    /// The step without successors; the last in `steps`.
    pub end: StepId,
    /// The same steps nested: each occurs exactly once.
    pub root: Region,
    /// Parameters in source order.
    pub parameters: Vec<PlanParameter>,
    /// Names and type names of class constants, in source order.
    pub constants: Vec<PlanConstant>,
    /// `@schedule`, resolved.
    pub schedule: Option<Schedule>,
    /// `@trigger` or `@trigger_on_finish`.
    pub triggers: Option<Triggers>,
    /// `@project`.
    pub project: Option<Project>,
    /// `@exit_hook`, in the order in which they are called.
    pub exit_hooks: Vec<ExitHook>,
    /// Names that the file imports from `metaflow` or `flowc`, sorted.
    pub imported_names: Vec<String>,
    /// Flow decorators as written, for Metaflow's `_graph_info`.
    pub decorators: Vec<DecoratorInfo>,
    /// Whether Python was asked for attributes and parameters that cannot be read.
    pub described: bool,
    /// Values of the configurations, by name; every task gets them.
    pub configs: IndexMap<String, ConfigValue>,
    /// Decorators of the option `--with`, for the mutators of the flow to see in each task; empty unless Python was asked.
    pub attached: Vec<String>,
}

impl Plan {
    /// Checks, in debug builds, what the fields of this module promise.
    pub fn assert_invariants(&self) {
        if cfg!(debug_assertions) {
            super::invariants::check(self);
        }
    }
}

/// Functions that are called once a run is over: `name` of the flow's file, or `module.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitHook {
    /// Called if the end step has ended well.
    pub on_success: Vec<String>,
    /// Called otherwise.
    pub on_error: Vec<String>,
    /// Where `options` stand, if there are any; Metaflow's own deployment to Argo reads an image there.
    pub options: Option<Span>,
    /// The decorator.
    pub span: Span,
}

/// A step with everything resolved.
#[derive(Clone, Debug)]
pub struct PlanStep {
    /// Name; `[a-z0-9_]`, not starting with `_`; unique in the plan.
    pub name: String,
    /// What the step does to the graph.
    pub kind: StepKind,
    /// Predecessors; for a join in the order in which the split names the branches.
    ///
    /// Behind a switch a step may have several of which one runs; in a join, several for one branch.
    pub parents: Vec<StepId>,
    /// Successors in the order written, each once; empty only for the end step.
    pub next: Vec<StepId>,
    /// Whether a switch may pass it by: not every run, or not every element of its foreach, comes here.
    pub is_conditional: bool,
    /// Open foreach splits around this step, outermost first; its index path has one index for each.
    /// A split step is not inside its own foreach; the join that closes it is not either.
    pub foreach: Vec<StepId>,
    /// Where the step's name stands.
    pub span: Span,
    /// Path of the file that holds it, relative to the root of the source tree: a step may be inherited.
    pub file: String,
    /// Line of the `def`, 1-based.
    pub line: u32,
    /// Docstring.
    pub doc: Option<String>,
    /// User code is started at most `retry.times + 1` times.
    pub retry: Retry,
    /// `@timeout`, seconds, at least 1.
    pub timeout_s: Option<u32>,
    /// `@catch`.
    pub catch: Option<Catch>,
    /// `@environment(vars=...)`, in source order.
    pub environment: IndexMap<String, String>,
    /// `@secrets`, where it has sources.
    pub secrets: Option<Secrets>,
    /// What the step asks for, defaults filled in: `@resources` merged with `@batch` or `@kubernetes` by the larger value.
    pub resources: Resources,
    /// `@batch`, where written.
    pub batch: Option<Attributes>,
    /// `@kubernetes`, where written.
    pub kubernetes: Option<Attributes>,
    /// Decorators as written, for Metaflow's `_graph_info`.
    pub decorators: Vec<DecoratorInfo>,
}

impl PlanStep {
    /// Whether the step chooses which one follows it.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        matches!(self.kind, StepKind::Switch { .. })
    }

    /// The gang that the step starts, if it starts one.
    #[must_use]
    pub fn gang(&self) -> Option<Gang> {
        match &self.kind {
            StepKind::Foreach { gang, .. } => *gang,
            StepKind::Linear
            | StepKind::Split { .. }
            | StepKind::Join { .. }
            | StepKind::Switch { .. }
            | StepKind::End => None,
        }
    }

    /// Whether the step may choose itself again. It then runs in one container until it chooses another.
    #[must_use]
    pub fn repeats(&self) -> bool {
        matches!(self.kind, StepKind::Switch { repeats: true, .. })
    }

    /// Seconds of user code after which a container must be stuck, where that is known: a step that repeats runs many
    /// tasks in one container, each with its own timeout.
    #[must_use]
    pub fn longest_s(&self) -> Option<u32> {
        self.timeout_s.filter(|_| !self.repeats())
    }

    /// How often a task that ran user code may be started again: for each retry, and once more where `@catch` has to
    /// take the loss of the last process that ran it.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.retry.times + u32::from(self.catch.is_some())
    }
}

/// What a step does to the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// One successor, one parent (none for the start step).
    Linear,
    /// Several successors that run side by side.
    Split {
        /// The join that closes it.
        join: StepId,
    },
    /// One successor that runs once for each element of an artifact.
    Foreach {
        /// Name of the artifact that is iterated over.
        variable: String,
        /// The join that closes it.
        join: StepId,
        /// The elements are the nodes of a gang, which run at the same time; nothing but the step that runs so lies
        /// between the split and its join.
        gang: Option<Gang>,
    },
    /// Receives all branches of `split` (a [`StepKind::Split`] or [`StepKind::Foreach`]); has one successor.
    Join {
        /// The split that it closes.
        split: StepId,
    },
    /// One of its successors follows, as an artifact says.
    Switch {
        /// Name of the artifact.
        condition: String,
        /// In source order, at least two.
        cases: Vec<PlanCase>,
        /// Whether the step itself is among the targets: it then runs again, as its next iteration.
        repeats: bool,
    },
    /// No successor.
    End,
}

/// An entry of a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanCase {
    /// What the artifact is compared with.
    pub key: CaseKey,
    /// The step that follows; one of `next`, or the step itself.
    pub target: StepId,
}

/// A single-entry, single-exit part of the graph.
///
/// Without a switch its nodes run one after the other. Behind a switch the successors of each step decide
/// ([`PlanStep::next`]); a step that leads to the join which closes the region leads out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Each after all that may come before it.
    pub nodes: Vec<Node>,
}

/// An element of a [`Region`].
/// A split step is a `Step`; the `Parallel` or `Map` that it opens is the next node of the same region, and the join is the `Step` after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// One step.
    Step(StepId),
    /// The branches of a static split, at least two.
    Parallel {
        /// The step that splits.
        split: StepId,
        /// In the order written; none is empty.
        branches: Vec<Region>,
        /// The step that joins.
        join: StepId,
    },
    /// The body of a foreach.
    Map {
        /// The step that splits.
        split: StepId,
        /// Runs once for each element; not empty.
        body: Region,
        /// The step that joins.
        join: StepId,
    },
}

/// `@retry`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retry {
    /// Retries of user code after the first attempt, 0 to 4 (Metaflow's readers look at attempts 0 to 5 only).
    pub times: u32,
    /// Pause before each retry, seconds.
    pub delay_s: u32,
}

/// `@catch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch {
    /// Artifact that takes the exception.
    pub variable: Option<String>,
    /// Whether the traceback goes to the task's stderr.
    pub print_exception: bool,
}

/// `@secrets`: references to what a task fetches before user code starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Secrets {
    /// As written; not empty.
    pub sources: Vec<SecretSource>,
    /// Role to fetch them with, where a source names none.
    pub role: Option<String>,
    /// Whether they may replace variables that are there.
    pub allow_override: bool,
}

/// A source of [`Secrets`].
#[derive(Clone, Debug, PartialEq)]
pub struct SecretSource {
    /// Where it is kept; `None` is what the task's environment says (`METAFLOW_DEFAULT_SECRETS_BACKEND_TYPE`).
    pub backend: Option<SecretBackend>,
    /// Its name or ARN there.
    pub id: String,
    /// How it is made into variables.
    pub options: IndexMap<String, Literal>,
    /// Role to fetch it with.
    pub role: Option<String>,
}

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretBackend {
    /// In the flow's text, for tests.
    Inline,
    /// AWS Secrets Manager.
    AwsSecretsManager,
}

impl SecretBackend {
    /// Metaflow's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::AwsSecretsManager => "aws-secrets-manager",
        }
    }
}

/// What a task asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a CPU; default 1000.
    pub cpu_milli: u32,
    /// MiB of memory (Metaflow writes MB and means the same number); default 4096.
    pub memory_mib: u32,
    /// Whole GPUs.
    pub gpu: u32,
    /// MiB of scratch disk, where asked for.
    pub disk_mib: Option<u32>,
    /// MiB of shared memory, where asked for.
    pub shared_memory_mib: Option<u32>,
}

/// Checked attributes of `@batch` or `@kubernetes` other than those in [`Resources`], in source order; values have the type that Metaflow documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    /// Name and value.
    pub values: IndexMap<String, (Literal, Span)>,
}

/// A parameter with its type resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanParameter {
    /// Name on the command line.
    pub name: String,
    /// Attribute of the class.
    pub attribute: String,
    /// Type of one value.
    pub ty: ParameterType,
    /// Default; `None` when there is none or it is Python's `None`. For a list, the text before it is split; for JSON, a value or a text that is JSON.
    pub default: Option<Literal>,
    /// Source text of a default that only Python has, see [`super::flow::ParameterDefault::Native`].
    pub native_default: Option<String>,
    /// Source text of a default that Python computes when the run starts.
    pub computed_default: Option<String>,
    /// Whether a value must be given.
    pub required: bool,
    /// The value is a list: a string split at this separator.
    pub separator: Option<String>,
    /// The value is the path of a file, whose contents steps see (`IncludeFile`).
    pub file: bool,
    /// Help text.
    pub help: Option<String>,
    /// Where it is declared.
    pub span: Span,
}

/// A class constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanConstant {
    /// Attribute of the class.
    pub name: String,
    /// `str(type(value))` where it is known statically, as in `<class 'int'>`.
    pub type_name: Option<String>,
}

/// `@schedule`, resolved to a cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Five fields as in crontab: minute, hour, day of month, month, day of week (0 or 7 is Sunday, or names); no `?`.
    pub cron: String,
    /// IANA time zone; UTC if absent.
    pub timezone: Option<String>,
    /// Where the decorator stands.
    pub span: Span,
}

/// A decorator as written, for Metaflow's `_graph_info`.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoratorInfo {
    /// Name.
    pub name: String,
    /// Whether it stands in the flow's text.
    pub is_written: bool,
    /// Arguments as written.
    pub arguments: IndexMap<String, Literal>,
}
