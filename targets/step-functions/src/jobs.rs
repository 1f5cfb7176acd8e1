//! `job-definitions.json`: one Batch job definition for each shape of container that the flow needs.
//!
//! The step's name comes through Batch's own parameter substitution (`Ref::step`), so steps of one shape share a definition.
//! The definition's name holds the digest of its content: a name always means the same container, and deploying twice changes nothing.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{Plan, PlanStep};
use flowc_protocol::{PROTOCOL, environment};
use flowc_target::{Options, profile, sha256_hex};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::names::{Place, job_definition_prefix};

/// Hex digits of the digest in a job definition's name.
const DIGEST_LEN: usize = 12;

/// Batch: an attempt's timeout is at least 60 seconds (`RegisterJobDefinition`, `JobTimeout`).
const TIMEOUT_MIN_S: u32 = 60;

/// The orchestrator's limit lies this far behind the author's: the harness interrupts at T, the shim kills at T + 30.
const TIMEOUT_MARGIN_S: u32 = 60;

/// Attempts of one job: losses of a container before user code starts are retried 3 times (DESIGN §4).
const ATTEMPTS: u32 = 4;

/// `RegisterJobDefinition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JobDefinition {
    #[serde(rename = "jobDefinitionName")]
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) container_properties: ContainerProperties,
    pub(crate) retry_strategy: RetryStrategy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Timeout>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) tags: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) propagate_tags: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContainerProperties {
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) job_role_arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) execution_role_arn: Option<String>,
    pub(crate) resource_requirements: Vec<Requirement>,
    pub(crate) environment: Vec<Variable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) linux_parameters: Option<LinuxParameters>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirement {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LinuxParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shared_memory_size: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_swap: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) swappiness: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RetryStrategy {
    pub(crate) attempts: u32,
    pub(crate) evaluate_on_exit: Vec<OnExit>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnExit {
    #[serde(
        default,
        rename = "onExitCode",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) exit_code: Option<String>,
    #[serde(
        default,
        rename = "onStatusReason",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) status_reason: Option<String>,
    #[serde(default, rename = "onReason", skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) action: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Timeout {
    pub(crate) attempt_duration_seconds: u32,
}

/// The definitions needed so far, by name.
pub(crate) struct JobDefinitions<'a> {
    plan: &'a Plan,
    options: &'a Options,
    place: &'a Place<'a>,
    prefix: String,
    /// In the order of the steps that first need them.
    pub(crate) defined: IndexMap<String, JobDefinition>,
    /// Texts that Batch does not take.
    pub(crate) found: Diagnostics,
}

impl<'a> JobDefinitions<'a> {
    pub(crate) fn new(plan: &'a Plan, options: &'a Options, place: &'a Place<'a>) -> Self {
        Self {
            plan,
            options,
            place,
            prefix: job_definition_prefix(plan),
            defined: IndexMap::new(),
            found: Diagnostics::default(),
        }
    }

    /// The name of the definition for a step, which is added if no other step has the same shape.
    pub(crate) fn name(&mut self, step: &PlanStep) -> String {
        let mut definition = self.definition(step);
        let content = serde_json::to_string(&definition).unwrap_or_default();
        let digest = sha256_hex(content.as_bytes());
        let name = format!("{}{}", self.prefix, &digest[..DIGEST_LEN]);
        if !self.defined.contains_key(&name) {
            definition.name.clone_from(&name);
            self.defined.insert(name.clone(), definition);
        }
        name
    }

    fn definition(&mut self, step: &PlanStep) -> JobDefinition {
        let profile = &self.options.profile;
        let tags: IndexMap<_, _> = profile
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), value.value.clone()))
            .collect();
        JobDefinition {
            name: String::new(),
            kind: "container".to_owned(),
            container_properties: self.container(step),
            retry_strategy: retry_strategy(),
            timeout: step.longest_s().map(|seconds| Timeout {
                attempt_duration_seconds: seconds
                    .saturating_add(TIMEOUT_MARGIN_S)
                    .max(TIMEOUT_MIN_S),
            }),
            propagate_tags: (!tags.is_empty()).then_some(true),
            tags,
        }
    }

    fn container(&mut self, step: &PlanStep) -> ContainerProperties {
        let profile = &self.options.profile;
        let aws = &profile.step_functions;
        let image = self.text(step, "image", profile::is_image);
        let job_role = self.text(step, "iam_role", profile::is_role_arn);
        let execution_role = self.text(step, "execution_role", profile::is_role_arn);
        let default_image = aws.image.as_ref().unwrap_or(&profile.image);
        let own_role = || self.place.role(self.plan, "job");
        let profile_role =
            |role: &Option<profile::Setting<String>>| role.as_ref().map(|role| role.value.clone());
        ContainerProperties {
            image: image.unwrap_or_else(|| default_image.value.clone()),
            command: ["/flowc-shim", "step", "Ref::step"]
                .map(str::to_owned)
                .into(),
            job_role_arn: job_role
                .or_else(|| profile_role(&aws.job_role))
                .unwrap_or_else(own_role),
            execution_role_arn: execution_role.or_else(|| profile_role(&aws.execution_role)),
            resource_requirements: requirements(step),
            environment: self.environment(),
            linux_parameters: linux_parameters(step),
        }
    }

    /// What is the same for every task of the flow; what differs is set by the states.
    fn environment(&self) -> Vec<Variable> {
        let profile = &self.options.profile;
        let own = [
            (environment::STORE, profile.store.value.clone()),
            (environment::PACKAGE, self.options.package.clone()),
            (environment::PROTOCOL, PROTOCOL.to_string()),
        ];
        let given = profile
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), value.value.clone()));
        own.into_iter()
            .chain(given)
            .map(|(name, value)| Variable {
                name: name.to_owned(),
                value,
            })
            .collect()
    }

    /// A text of `@batch`, if it is one that Batch takes as it stands.
    fn text(&mut self, step: &PlanStep, name: &str, holds: fn(&str) -> bool) -> Option<String> {
        let (value, span) = step.batch.as_ref()?.values.get(name)?;
        let Literal::Str(text) = value else {
            return None;
        };
        if holds(text) {
            return Some(text.clone());
        }
        let message = format!("step-functions cannot use this `{name}` of `@batch`");
        self.found.push(Diagnostic::error(
            Code::FC0308,
            message,
            *span,
            "not of the form that Batch takes",
        ));
        None
    }

    /// The queue that a step names itself.
    pub(crate) fn queue(&mut self, step: &PlanStep) -> Option<String> {
        self.text(step, "queue", profile::is_job_queue)
    }
}

/// Exit codes 70 to 79 and lost hosts are nobody's fault and are tried again; everything else is left to the state.
///
/// Batch takes at most 5 entries and retries what matches none of them (`RegisterJobDefinition`, `RetryStrategy`).
fn retry_strategy() -> RetryStrategy {
    let retry =
        |exit_code: Option<&str>, status_reason: Option<&str>, reason: Option<&str>| OnExit {
            exit_code: exit_code.map(str::to_owned),
            status_reason: status_reason.map(str::to_owned),
            reason: reason.map(str::to_owned),
            action: "RETRY".to_owned(),
        };
    RetryStrategy {
        attempts: ATTEMPTS,
        evaluate_on_exit: vec![
            retry(Some("7*"), None, None),
            retry(None, Some("Host EC2*"), None),
            retry(None, Some("Your Spot Task was interrupted*"), None),
            retry(None, None, Some("CannotPullContainerError*")),
            OnExit {
                reason: Some("*".to_owned()),
                action: "EXIT".to_owned(),
                ..OnExit::default()
            },
        ],
    }
}

/// Batch on EC2 gives whole CPUs, at least one (`RegisterJobDefinition`, `ResourceRequirement`).
fn requirements(step: &PlanStep) -> Vec<Requirement> {
    let resources = &step.resources;
    let cpus = resources.cpu_milli.div_ceil(1000).max(1);
    let mut list = vec![
        Requirement {
            kind: "VCPU".to_owned(),
            value: cpus.to_string(),
        },
        Requirement {
            kind: "MEMORY".to_owned(),
            value: resources.memory_mib.to_string(),
        },
    ];
    if resources.gpu > 0 {
        list.push(Requirement {
            kind: "GPU".to_owned(),
            value: resources.gpu.to_string(),
        });
    }
    list
}

fn linux_parameters(step: &PlanStep) -> Option<LinuxParameters> {
    let number = |name: &str| match step.batch.as_ref()?.values.get(name)? {
        (Literal::Int(number), _) => Some(*number),
        _ => None,
    };
    let parameters = LinuxParameters {
        shared_memory_size: step.resources.shared_memory_mib,
        max_swap: number("max_swap"),
        swappiness: number("swappiness"),
    };
    let given = parameters.shared_memory_size.is_some()
        || parameters.max_swap.is_some()
        || parameters.swappiness.is_some();
    given.then_some(parameters)
}
