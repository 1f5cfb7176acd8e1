//! `job-definitions.json`: one Batch job definition for each shape of container that the flow needs.
//!
//! The step's name comes through Batch's own parameter substitution (`Ref::step`), so steps of one shape share a definition.
//! The definition's name holds the digest of its content: a name always means the same container, and deploying twice changes nothing.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::{Plan, PlanStep};
use flowc_protocol::{PROTOCOL, environment};
use flowc_target::asked::TEMPDIR;
use flowc_target::{Options, profile, sha256_hex};
use indexmap::IndexMap;

use crate::batch::{self, Batch};
use crate::definition::{
    ContainerProperties, JobDefinition, LinuxParameters, OnExit, Requirement, RetryStrategy,
    Timeout, Tmpfs, Variable,
};
use crate::names::{Place, job_definition_prefix};
use crate::secrets;

/// Hex digits of the digest in a job definition's name.
const DIGEST_LEN: usize = 12;

/// Batch: an attempt's timeout is at least 60 seconds (`RegisterJobDefinition`, `JobTimeout`).
const TIMEOUT_MIN_S: u32 = 60;

/// The orchestrator's limit lies this far behind the author's: the harness interrupts at T, the shim kills at T + 30.
const TIMEOUT_MARGIN_S: u32 = 60;

/// Attempts of one job: losses of a container before user code starts are retried 3 times (DESIGN §4).
const ATTEMPTS: u32 = 4;

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
        let definition = self.definition(step);
        self.add(definition)
    }

    /// The name of the definition for the exit hooks' container.
    pub(crate) fn hooks_name(&mut self, step: &PlanStep) -> String {
        let found = self.found.clone();
        let mut definition = self.definition(step);
        // What is wrong with its attributes is reported with the start step, whose they are.
        self.found = found;
        definition.container_properties.command =
            ["/flowc-shim", "hooks"].map(str::to_owned).into();
        self.add(definition)
    }

    fn add(&mut self, mut definition: JobDefinition) -> String {
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
        let batch = batch::read(step, &mut self.found);
        let labels = self.options.profile.labels.iter();
        let mut tags: IndexMap<_, _> = labels
            .map(|(name, value)| (name.clone(), value.value.clone()))
            .collect();
        tags.extend(batch.tags.clone());
        JobDefinition {
            name: String::new(),
            kind: "container".to_owned(),
            container_properties: self.container(step, batch),
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

    fn container(&mut self, step: &PlanStep, batch: Batch) -> ContainerProperties {
        let profile = &self.options.profile;
        let aws = &profile.step_functions;
        let default_image = aws.image.as_ref().unwrap_or(&profile.image);
        let own_role = || self.place.role(self.plan, "job");
        let profile_role =
            |role: &Option<profile::Setting<String>>| role.as_ref().map(|role| role.value.clone());
        let environment = self.environment(&batch);
        let linux_parameters = linux_parameters(step, &batch);
        ContainerProperties {
            image: batch.image.unwrap_or_else(|| default_image.value.clone()),
            command: ["/flowc-shim", "step", "Ref::step"]
                .map(str::to_owned)
                .into(),
            job_role_arn: batch
                .iam_role
                .or_else(|| profile_role(&aws.job_role))
                .unwrap_or_else(own_role),
            execution_role_arn: batch
                .execution_role
                .or_else(|| profile_role(&aws.execution_role)),
            resource_requirements: requirements(step),
            environment,
            linux_parameters,
            volumes: batch.volumes,
            mount_points: batch.mount_points,
            log_configuration: batch.log,
            privileged: batch.privileged.then_some(true),
        }
    }

    /// What is the same for every task of the flow; what differs is set by the states.
    fn environment(&self, batch: &Batch) -> Vec<Variable> {
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
        let tempdir = batch.tmpfs.as_ref().filter(|tmpfs| tmpfs.is_tempdir);
        let asked = [
            (environment::PYTHON, batch.executable.clone()),
            (TEMPDIR, tempdir.map(|tmpfs| tmpfs.path.clone())),
        ];
        let asked = asked
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let region = secrets::region(self.plan, profile);
        let region = region.map(|region| (secrets::REGION, region));
        own.into_iter()
            .chain(region)
            .chain(given)
            .chain(asked)
            .map(|(name, value)| Variable {
                name: name.to_owned(),
                value,
            })
            .collect()
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

fn linux_parameters(step: &PlanStep, batch: &Batch) -> Option<LinuxParameters> {
    let tmpfs = batch.tmpfs.iter().map(|tmpfs| Tmpfs {
        container_path: tmpfs.path.clone(),
        size: tmpfs.size_mib,
        mount_options: vec!["defaults".to_owned()],
    });
    let parameters = LinuxParameters {
        shared_memory_size: step.resources.shared_memory_mib,
        max_swap: batch.max_swap,
        swappiness: batch.swappiness,
        devices: batch.devices.clone(),
        tmpfs: tmpfs.collect(),
    };
    (parameters != LinuxParameters::default()).then_some(parameters)
}
