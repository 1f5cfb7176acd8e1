//! The decorators that are understood, as data.
//!
//! Names and types as Metaflow's plugins define them (metaflow/plugins, `defaults` of each decorator class, read at 2.19.38).

use super::values::Kind;

/// Where a decorator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Above a method with `@step`.
    Step,
    /// Above the class.
    Flow,
}

/// A decorator.
pub(crate) struct Spec {
    /// Name after `@`.
    pub(crate) name: &'static str,
    /// Where it belongs.
    pub(crate) place: Place,
    /// What it takes.
    pub(crate) arguments: &'static [Argument],
}

/// An argument of a decorator.
pub(crate) struct Argument {
    /// Keyword.
    pub(crate) name: &'static str,
    /// Allowed values.
    pub(crate) kind: Kind,
    /// Whether `None` is allowed and means "not given".
    pub(crate) none: bool,
    /// Whether it must be given.
    pub(crate) required: bool,
}

impl Spec {
    /// Whether it may be given several times.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.name == "exit_hook"
    }

    /// The argument of that name.
    pub(crate) fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}

/// The decorator of that name, if it is one that is understood.
pub(crate) fn spec(name: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.name == name)
}

const fn given(name: &'static str, kind: Kind) -> Argument {
    Argument {
        name,
        kind,
        none: false,
        required: false,
    }
}

const fn maybe(name: &'static str, kind: Kind) -> Argument {
    Argument {
        name,
        kind,
        none: true,
        required: false,
    }
}

const fn needed(name: &'static str, kind: Kind) -> Argument {
    Argument {
        name,
        kind,
        none: false,
        required: true,
    }
}

/// Whole numbers from 1.
const POSITIVE: Kind = Kind::Whole { min: 1, max: LARGE };
/// Whole numbers from 0.
const COUNT: Kind = Kind::Whole { min: 0, max: LARGE };
/// Beyond this no unit of the table makes sense: 2 PiB in MiB, 68 years in seconds.
const LARGE: i64 = i32::MAX as i64;

const SPECS: &[Spec] = &[
    Spec {
        name: "retry",
        place: Place::Step,
        arguments: &[
            given("times", COUNT),
            given("minutes_between_retries", Kind::Number { above: -1 }),
        ],
    },
    Spec {
        name: "timeout",
        place: Place::Step,
        arguments: &[
            given("seconds", COUNT),
            given("minutes", COUNT),
            given("hours", COUNT),
        ],
    },
    Spec {
        name: "catch",
        place: Place::Step,
        arguments: &[
            maybe("var", Kind::Identifier),
            given("print_exception", Kind::Bool),
        ],
    },
    Spec {
        name: "environment",
        place: Place::Step,
        arguments: &[given("vars", Kind::Dictionary)],
    },
    Spec {
        name: "secrets",
        place: Place::Step,
        arguments: &[
            given("sources", Kind::TextsOrDictionaries),
            maybe("role", Kind::Text),
            given("allow_override", Kind::Bool),
        ],
    },
    Spec {
        name: "resources",
        place: Place::Step,
        arguments: &[
            maybe("cpu", Kind::Number { above: 0 }),
            maybe("gpu", COUNT),
            maybe("disk", POSITIVE),
            maybe("memory", POSITIVE),
            maybe("shared_memory", POSITIVE),
        ],
    },
    Spec {
        name: "batch",
        place: Place::Step,
        arguments: &[
            maybe("cpu", Kind::Number { above: 0 }),
            maybe("gpu", COUNT),
            maybe("memory", POSITIVE),
            maybe("image", Kind::Text),
            maybe("queue", Kind::Text),
            maybe("iam_role", Kind::Text),
            maybe("execution_role", Kind::Text),
            maybe("shared_memory", POSITIVE),
            maybe("max_swap", COUNT),
            maybe("swappiness", Kind::Whole { min: 0, max: 100 }),
            maybe("inferentia", COUNT),
            maybe("trainium", COUNT),
            maybe("efa", COUNT),
            maybe("host_volumes", Kind::TextOrTexts),
            maybe("efs_volumes", Kind::TextOrTexts),
            maybe("use_tmpfs", Kind::Bool),
            maybe("aws_batch_tags", Kind::TextDictionary),
            maybe("tmpfs_tempdir", Kind::Bool),
            maybe("tmpfs_size", POSITIVE),
            maybe("tmpfs_path", Kind::AbsolutePath),
            maybe("ephemeral_storage", POSITIVE),
            maybe("log_driver", Kind::Text),
            maybe("log_options", Kind::TextOrTexts),
            maybe("executable", Kind::Text),
            maybe("privileged", Kind::Bool),
        ],
    },
    Spec {
        name: "kubernetes",
        place: Place::Step,
        arguments: &[
            maybe("cpu", Kind::Number { above: 0 }),
            maybe("memory", POSITIVE),
            maybe("disk", POSITIVE),
            maybe("image", Kind::Text),
            maybe(
                "image_pull_policy",
                Kind::Choice(&["Always", "IfNotPresent", "Never"]),
            ),
            maybe("image_pull_secrets", Kind::TextOrTexts),
            maybe("service_account", Kind::Text),
            maybe("secrets", Kind::TextOrTexts),
            maybe("node_selector", Kind::TextTextsOrDictionary),
            maybe("namespace", Kind::Text),
            maybe("gpu", COUNT),
            maybe("gpu_vendor", Kind::Choice(&["amd", "nvidia"])),
            maybe("tolerations", Kind::Dictionaries),
            maybe("labels", Kind::TextDictionary),
            maybe("annotations", Kind::TextDictionary),
            maybe("use_tmpfs", Kind::Bool),
            maybe("tmpfs_tempdir", Kind::Bool),
            maybe("tmpfs_size", POSITIVE),
            maybe("tmpfs_path", Kind::AbsolutePath),
            maybe("persistent_volume_claims", Kind::TextDictionary),
            maybe("shared_memory", POSITIVE),
            maybe("port", Kind::Whole { min: 1, max: 65535 }),
            maybe("compute_pool", Kind::Text),
            maybe("executable", Kind::Text),
            maybe("hostname_resolution_timeout", POSITIVE),
            maybe("qos", Kind::Choice(&["Guaranteed", "Burstable"])),
            maybe("extended_resources", Kind::Dictionary),
            maybe("security_context", Kind::Dictionary),
        ],
    },
    Spec {
        name: "parallel",
        place: Place::Step,
        arguments: &[],
    },
    Spec {
        name: "schedule",
        place: Place::Flow,
        arguments: &[
            given("hourly", Kind::Bool),
            given("daily", Kind::Bool),
            given("weekly", Kind::Bool),
            maybe("cron", Kind::Text),
            maybe("timezone", Kind::Text),
        ],
    },
    Spec {
        name: "project",
        place: Place::Flow,
        arguments: &[
            needed("name", Kind::Text),
            maybe("branch", Kind::Text),
            maybe("production", Kind::Bool),
        ],
    },
    Spec {
        name: "exit_hook",
        place: Place::Flow,
        arguments: &[
            maybe("on_success", Kind::TextOrTexts),
            maybe("on_error", Kind::TextOrTexts),
            maybe("options", Kind::Dictionary),
        ],
    },
    Spec {
        name: "trigger",
        place: Place::Flow,
        arguments: &[
            maybe("event", Kind::TextOrDictionary),
            maybe("events", Kind::TextsOrDictionaries),
            maybe("options", Kind::Dictionary),
        ],
    },
    Spec {
        name: "trigger_on_finish",
        place: Place::Flow,
        arguments: &[
            maybe("flow", Kind::TextOrDictionary),
            maybe("flows", Kind::TextsOrDictionaries),
            maybe("options", Kind::Dictionary),
        ],
    },
];
