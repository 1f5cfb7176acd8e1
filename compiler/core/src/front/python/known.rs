//! What Metaflow exports, and what of it this version understands.

/// Decorators of steps that are understood, with the keyword that a positional argument was probably meant for.
pub(super) const STEP_DECORATORS: &[(&str, &str)] = &[
    ("retry", "times"),
    ("timeout", "seconds"),
    ("catch", "var"),
    ("environment", "vars"),
    ("secrets", "sources"),
    ("resources", "cpu"),
    ("batch", "cpu"),
    ("kubernetes", "cpu"),
    ("parallel", ""),
];

/// Decorators of flows that are understood, likewise.
pub(super) const FLOW_DECORATORS: &[(&str, &str)] = &[
    ("schedule", "cron"),
    ("project", "name"),
    ("exit_hook", "on_success"),
    ("trigger", "event"),
    ("trigger_on_finish", "flow"),
];

/// Decorators that are accepted although nothing is done about them yet: what is not done, and what to do instead.
const WITHOUT_EFFECT: &[(&str, [&str; 2])] = &[
    ("card", ["no card is drawn", WITHOUT_CARDS]),
    ("pypi", [NOTHING_INSTALLED, IN_THE_IMAGE]),
    ("pypi_base", [NOTHING_INSTALLED, IN_THE_IMAGE]),
    ("conda", [NOTHING_INSTALLED, IN_THE_IMAGE]),
    ("conda_base", [NOTHING_INSTALLED, IN_THE_IMAGE]),
];

const NOTHING_INSTALLED: &str = "no packages are installed";

/// Decorators that Metaflow or its extensions export and this version does not support, with the way out.
/// From `STEP_DECORATORS_DESC` and `FLOW_DECORATORS_DESC` in `metaflow/plugins/__init__.py`, read at 2.19.39, and the published extensions.
const NOT_YET: &[(&str, &str)] = &[
    ("pytorch_parallel", BY_PARALLEL),
    ("torchrun", BY_PARALLEL),
    ("deepspeed", BY_PARALLEL),
    ("metaflow_ray", BY_PARALLEL),
    ("mpi", BY_PARALLEL),
    ("tensorflow_parallel", BY_PARALLEL),
    ("airflow_external_task_sensor", BY_SCHEDULE),
    ("airflow_s3_key_sensor", BY_SCHEDULE),
    (
        "checkpoint",
        "remove it; a retried step starts from its inputs again",
    ),
    ("model", AS_ARTIFACTS),
    ("huggingface_hub", AS_ARTIFACTS),
    ("slurm", OTHER_COMPUTE),
    ("snowpark", OTHER_COMPUTE),
    ("nvidia", OTHER_COMPUTE),
    ("nvct", OTHER_COMPUTE),
    ("skypilot_step", OTHER_COMPUTE),
    ("gpu_profile", "remove it"),
    ("argo_workflows_internal", INTERNAL),
    ("step_functions_internal", INTERNAL),
    ("airflow_internal", INTERNAL),
    ("unbounded_test_foreach_internal", INTERNAL),
];

const WITHOUT_CARDS: &str =
    "keep what the card would show as an artifact, which a notebook can draw";
const IN_THE_IMAGE: &str = "install the packages in the image that `flowc.toml` names, and on this machine for `flowc run`";
const BY_PARALLEL: &str = "use `@parallel`, and start the framework in the step by `current.parallel`: address of the first node, number of nodes, index of this one";
const BY_SCHEDULE: &str =
    "remove it and start the run by `@schedule`, `@trigger` or the orchestrator's own means";
const AS_ARTIFACTS: &str = "remove it and store the model as an artifact";
const OTHER_COMPUTE: &str = "remove it; steps run where the target runs them";
const INTERNAL: &str = "remove it; Metaflow adds it by itself where it needs it";

/// Names that flowc's `metaflow` provides, or that come from the real package when it is installed (the client).
const PROVIDED: &[&str] = &[
    "FlowSpec",
    "step",
    "Parameter",
    "JSONType",
    "Config",
    "ConfigValue",
    "config_expr",
    "FlowMutator",
    "IncludeFile",
    "MutableFlow",
    "MutableStep",
    "StepMutator",
    "USER_SKIP_STEP",
    "UserStepDecorator",
    "user_step_decorator",
    "current",
    "retry",
    "timeout",
    "catch",
    "environment",
    "secrets",
    "resources",
    "batch",
    "kubernetes",
    "parallel",
    "schedule",
    "project",
    "exit_hook",
    "trigger",
    "trigger_on_finish",
    "namespaced_event_name",
    "card",
    "pypi",
    "pypi_base",
    "conda",
    "conda_base",
    "Flow",
    "Run",
    "Step",
    "Task",
    "DataArtifact",
    "Metaflow",
    "namespace",
    "get_namespace",
    "default_namespace",
    "metadata",
    "get_metadata",
    "default_metadata",
    "__version__",
];

/// Submodules whose names may be used: exceptions, `current`, and the client under its own name.
const PROVIDED_MODULES: &[&str] = &["exception", "client", "metaflow_current"];

/// The way out for a name that is exported by Metaflow but not provided.
const OTHER_NAMES: &[(&str, &str)] = &[
    (
        "S3",
        "read and write the objects with your cloud's own client until then",
    ),
    ("cards", WITHOUT_CARDS),
    (
        "Runner",
        "start the run by `flowc run` in a process of its own until then",
    ),
    (
        "Deployer",
        "deploy what `flowc compile` writes with the target's own tools until then",
    ),
    (
        "parallel_map",
        "use `concurrent.futures` of the standard library until then",
    ),
    (
        "parallel_imap_unordered",
        "use `concurrent.futures` of the standard library until then",
    ),
    ("profile", "use `time.perf_counter` until then"),
];

fn find<'a>(table: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

/// For a decorator that is understood: the keyword that a positional argument was probably meant for.
pub(super) fn supported_decorator(name: &str) -> Option<&'static str> {
    find(STEP_DECORATORS, name).or_else(|| find(FLOW_DECORATORS, name))
}

/// For a decorator that is accepted although nothing is done about it: what is not done, and what to do instead.
pub(super) fn without_effect(name: &str) -> Option<[&'static str; 2]> {
    let found = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name);
    found.map(|(_, words)| *words)
}

/// For a decorator that is known but not supported: the way out.
pub(super) fn not_yet(name: &str) -> Option<&'static str> {
    find(NOT_YET, name)
}

/// All decorators of steps that are understood.
pub(super) fn step_decorators() -> impl Iterator<Item = &'static str> {
    STEP_DECORATORS.iter().map(|(name, _)| *name)
}

/// All decorators that are understood, and `step`.
pub(super) fn decorator_names() -> impl Iterator<Item = &'static str> {
    STEP_DECORATORS
        .iter()
        .chain(FLOW_DECORATORS)
        .map(|(name, _)| *name)
        .chain(WITHOUT_EFFECT.iter().map(|(name, _)| *name))
        .chain(std::iter::once("step"))
}

/// Whether the harness provides the dotted name, itself or through the real package.
pub(super) fn is_provided(path: &str) -> bool {
    let head = path.split('.').next().unwrap_or(path);
    PROVIDED_MODULES.contains(&head) || PROVIDED.contains(&path)
}

/// Whether the dotted name is a submodule whose names are followed one by one.
pub(super) fn is_module(path: &str) -> bool {
    PROVIDED_MODULES.contains(&path)
}

/// The way out for a name that is not provided.
pub(super) fn instead_of(path: &str) -> Option<&'static str> {
    let head = path.split('.').next().unwrap_or(path);
    let last = path.rsplit('.').next().unwrap_or(path);
    find(OTHER_NAMES, head)
        .or_else(|| find(NOT_YET, head))
        .or_else(|| find(OTHER_NAMES, last))
        .or_else(|| {
            let inner = path != last && PROVIDED.contains(&last);
            inner.then_some("import it from `metaflow` itself")
        })
}

/// Names for "did you mean" on an import.
pub(super) fn provided_names() -> impl Iterator<Item = &'static str> {
    PROVIDED.iter().copied()
}

/// Whether a bare name may come out of `from metaflow import *`.
pub(super) fn is_exported(name: &str) -> bool {
    PROVIDED.contains(&name) || find(NOT_YET, name).is_some() || find(OTHER_NAMES, name).is_some()
}
