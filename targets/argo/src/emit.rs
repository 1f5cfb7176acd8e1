//! From a plan to the bundle's files.

use flowc_core::diag::{Code, Diagnostic, Diagnostics, Severity};
use flowc_core::ir::plan::{Plan, PlanParameter};
use flowc_protocol::{PROTOCOL, environment};
use flowc_target::literal::to_json;
use flowc_target::profile::Overlap;
use flowc_target::{BundleFile, Options, capabilities, writer};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};

use crate::manifest::{
    API, Arguments, Container, CronSpec, Metadata, Object, Parameter, Spec, Template, Variable,
    WorkflowSpec,
};
use crate::step::{COUNT_FILE, NEXT_FILE, chooses};
use crate::{Argo, exit, graph, names, pod, rbac, sensor, text};

/// A Workflow holds an uncompressed copy of its template and must fit `MAX_WORKFLOW_SIZE`, 1 MiB (persist/sqldb, packer).
const TEMPLATE_MAX: usize = 1_048_576;

/// Above this the status of a run has little room left beside the copy.
const TEMPLATE_LARGE: usize = 300_000;

/// The reserved workflow parameter by which a new Workflow continues an old run.
pub(crate) const RUN_PARAMETER: &str = "flowc_run";

/// A Workflow that could not start on time may start this much later, as Metaflow's.
const STARTING_DEADLINE_S: u32 = 3540;

/// Longest value of a parameter, in bytes: the start step gets it as base64 in one variable of its environment, and Linux takes
/// 128 KiB with name and all (`MAX_ARG_STRLEN`, include/uapi/linux/binfmts.h).
pub(crate) const PARAMETER_MAX: usize = 96_000;

/// Workflows of a schedule that stay when they have ended, of those that succeeded and of those that failed.
/// Argo keeps 3 and 1 by default and deletes the others, and with them what it can tell of a run.
const HISTORY: u32 = 100;

pub(crate) fn emit(plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
    let (files, found) = documents(plan, options);
    let print = |(path, documents): &(&str, Vec<Value>)| {
        let texts: Vec<_> = documents.iter().map(writer::yaml).collect();
        BundleFile {
            path: (*path).to_owned(),
            text: texts.join("---\n"),
        }
    };
    let files = (!found.has_errors()).then(|| files.iter().map(print).collect());
    (files, found)
}

/// The objects of each file.
pub(crate) fn documents(
    plan: &Plan,
    options: &Options,
) -> (Vec<(&'static str, Vec<Value>)>, Diagnostics) {
    let mut found = capabilities::check(plan, &Argo);
    if let Err(error) = options.profile.remote_store("argo", &["s3", "gs", "az"]) {
        found.push(*error);
    }
    let spec = workflow(plan, options, &mut found);
    let template = value(&object(plan, options, "WorkflowTemplate", Spec { spec }));
    check_size(plan, &template, &mut found);
    let mut files = vec![("workflow-template.yaml", vec![template])];
    if let Some(schedule) = &plan.schedule {
        let spec = CronSpec {
            schedules: vec![in_numbers(&schedule.cron)],
            timezone: schedule.timezone.clone(),
            starting_deadline_seconds: STARTING_DEADLINE_S,
            concurrency_policy: match options.profile.overlap {
                Overlap::Allow => None,
                Overlap::Skip => Some("Forbid"),
            },
            successful_jobs_history_limit: HISTORY,
            failed_jobs_history_limit: HISTORY,
            workflow_spec: json!({"workflowTemplateRef": {"name": names::template_name(plan)}}),
        };
        let cron = value(&object(plan, options, "CronWorkflow", Spec { spec }));
        files.push(("cron-workflow.yaml", vec![cron]));
    }
    if let Some(triggers) = &plan.triggers {
        files.push(("sensor.yaml", sensor::objects(plan, triggers, options)));
    }
    let mut accounts = Vec::new();
    if options.profile.argo.service_account.is_none() {
        let metadata = metadata(plan, options);
        let rules = rbac::executor();
        accounts.extend(rbac::objects(
            &names::service_account(plan),
            &metadata,
            &rules,
        ));
    }
    if let Some(triggers) = &plan.triggers
        && options.profile.argo.event_service_account.is_none()
    {
        let metadata = metadata(plan, options);
        let rules = rbac::events(sensor::watches(triggers));
        accounts.extend(rbac::objects(
            &names::events_account(plan),
            &metadata,
            &rules,
        ));
    }
    if !accounts.is_empty() {
        files.push(("rbac.yaml", accounts));
    }
    (files, found)
}

/// A cron expression with numbers for the names of months and days:
/// the CRDs of Argo 4.0 refuse names, those of 4.1 take them again (`schedules`, its pattern).
fn in_numbers(cron: &str) -> String {
    const NAMES: [&[&str]; 2] = [
        &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    ];
    let mut fields: Vec<String> = cron
        .split_whitespace()
        .map(str::to_ascii_uppercase)
        .collect();
    // Months are counted from 1, days of the week from 0.
    for (place, first, names) in [(3, 1, NAMES[0]), (4, 0, NAMES[1])] {
        let Some(field) = fields.get_mut(place) else {
            continue;
        };
        for (index, name) in names.iter().enumerate() {
            *field = field.replace(name, &(index + first).to_string());
        }
    }
    fields.join(" ")
}

fn object<T>(plan: &Plan, options: &Options, kind: &'static str, content: T) -> Object<T> {
    Object {
        api_version: API,
        kind,
        metadata: Metadata {
            name: Some(names::template_name(plan)),
            ..metadata(plan, options)
        },
        content,
    }
}

/// What all our objects carry.
pub(crate) fn metadata(plan: &Plan, options: &Options) -> Metadata {
    let mut labels = IndexMap::from([(
        "app.kubernetes.io/managed-by".to_owned(),
        "flowc".to_owned(),
    )]);
    labels.extend(run_labels(plan, options));
    Metadata {
        namespace: Some(options.profile.argo.namespace.value.clone()),
        labels,
        ..Metadata::default()
    }
}

/// What Workflows and pods carry too.
pub(crate) fn run_labels(plan: &Plan, options: &Options) -> IndexMap<String, String> {
    let mut labels = IndexMap::from([("flowc.dev/flow".to_owned(), names::label(&plan.flow))]);
    if let Some(project) = &plan.project {
        labels.insert("flowc.dev/project".to_owned(), names::label(&project.name));
        if let Some(branch) = project.branch_name() {
            labels.insert("flowc.dev/branch".to_owned(), names::label(&branch));
        }
    }
    let given = options.profile.labels.iter();
    labels.extend(given.map(|(name, value)| (name.clone(), value.value.clone())));
    labels
}

fn workflow(plan: &Plan, options: &Options, found: &mut Diagnostics) -> WorkflowSpec {
    let profile = &options.profile.argo;
    let own_account = || names::service_account(plan);
    let account = profile.service_account.as_ref();
    let labels = || Metadata {
        labels: run_labels(plan, options),
        ..Metadata::default()
    };
    let template_defaults = defaults(plan, options, found);
    let mut templates = graph::templates(plan, options, found);
    let start = templates
        .iter_mut()
        .find_map(|template| template.container.as_mut());
    if let Some(start) = start {
        // Containers stand in the order of the steps, and the start step is the first.
        start.env.extend(plan.parameters.iter().map(variable));
        let triggers = plan
            .triggers
            .iter()
            .flat_map(|triggers| 0..triggers.on.len());
        start.env.extend(triggers.map(started_by));
    }
    templates.extend(exit::templates(plan, options));
    WorkflowSpec {
        entrypoint: names::ENTRYPOINT,
        on_exit: (!plan.exit_hooks.is_empty()).then_some(names::EXIT),
        service_account_name: account.map_or_else(own_account, |account| account.value.clone()),
        parallelism: profile.parallelism,
        image_pull_secrets: pod::pull_secrets(plan, options),
        node_selector: profile
            .node_selector
            .iter()
            .map(|(key, value)| (key.clone(), value.value.clone()))
            .collect(),
        arguments: arguments(plan, found),
        workflow_metadata: labels(),
        pod_metadata: labels(),
        template_defaults,
        templates,
    }
}

/// The run's parameters as JSON, with their defaults; one without a default that need not be given is null.
fn arguments(plan: &Plan, found: &mut Diagnostics) -> Arguments {
    let legal = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let reserved = Parameter {
        name: RUN_PARAMETER.to_owned(),
        value: Some(String::new()),
        ..Parameter::default()
    };
    let mut parameters = vec![reserved];
    parameters.extend(plan.triggers.iter().flat_map(sensor::parameters));
    for parameter in &plan.parameters {
        // Argo: `[-a-zA-Z0-9_]+` (workflow/validate, `paramOrArtifactNameRegex`).
        let is_ours =
            parameter.name == RUN_PARAMETER || parameter.name.starts_with(sensor::PARAMETER_PREFIX);
        if !legal(&parameter.name) || is_ours {
            let message = format!(
                "argo cannot represent a parameter called `{}`",
                parameter.name
            );
            found.push(
                Diagnostic::error(Code::FC0308, message, parameter.span, "declared here")
                    .help("use ASCII letters, digits, `_` and `-`"),
            );
        }
        let default = parameter.default.as_ref().map_or(Value::Null, to_json);
        let default = text::json_argument(&default.to_string());
        if default.len() > PARAMETER_MAX {
            let message = format!(
                "the default of `{}` is {} bytes long as JSON, and argo can hand {PARAMETER_MAX} to a container",
                parameter.name,
                default.len()
            );
            found.push(
                Diagnostic::error(Code::FC0308, message, parameter.span, "declared here")
                    .help("put it into a file or the store, and give its address"),
            );
        }
        parameters.push(Parameter {
            name: parameter.name.clone(),
            value: (!parameter.required).then_some(default),
            ..Parameter::default()
        });
    }
    Arguments { parameters }
}

/// Argo sees the value as base64 only, whatever it holds.
fn variable(parameter: &PlanParameter) -> Variable {
    Variable {
        name: format!("{}{}", environment::PARAMETER_PREFIX, parameter.name),
        value: in_base64(&parameter.name),
    }
}

/// What started the run, by the trigger's place in the plan.
fn started_by(place: usize) -> Variable {
    Variable {
        name: format!("{}{place}", environment::TRIGGER_PREFIX),
        value: in_base64(&format!("{}{place}", sensor::PARAMETER_PREFIX)),
    }
}

fn in_base64(parameter: &str) -> String {
    format!("{{{{=toBase64(workflow.parameters['{parameter}'])}}}}")
}

/// What all steps share. Argo merges it into every template, by name within lists.
fn defaults(plan: &Plan, options: &Options, found: &mut Diagnostics) -> Template {
    let profile = &options.profile;
    let image = profile.argo.image.as_ref().unwrap_or(&profile.image);
    let run = format!(
        "{{{{=workflow.parameters['{RUN_PARAMETER}'] == '' ? 'argo:' + workflow.name : 'id:' + workflow.parameters['{RUN_PARAMETER}']}}}}"
    );
    let own = [
        (environment::STORE, profile.store.value.clone()),
        (environment::PACKAGE, options.package.clone()),
        (environment::PROTOCOL, PROTOCOL.to_string()),
        (environment::RUN, run),
        (environment::WORK, "/flowc/work".to_owned()),
        (environment::REPORT, "/dev/termination-log".to_owned()),
        (environment::REPORT_COUNT, COUNT_FILE.to_owned()),
    ];
    let has_choice = plan.steps.iter().any(|(_, step)| chooses(step));
    let choice = has_choice.then(|| (environment::REPORT_NEXT, NEXT_FILE.to_owned()));
    let mut env: Vec<Variable> = own
        .into_iter()
        .chain(choice)
        .map(|(name, value)| Variable {
            name: name.to_owned(),
            value,
        })
        .collect();
    for (name, setting) in &profile.env {
        match text::environment(setting, &format!("the variable `{name}`"), setting.span) {
            Ok(value) => env.push(Variable {
                name: name.clone(),
                value,
            }),
            Err(error) => found.push(*error),
        }
    }
    let mounts = vec![json!({"name": "flowc", "mountPath": "/flowc"})];
    let security_context = pod::security_context(profile.run_as_user);
    Template {
        volumes: vec![json!({"name": "flowc", "emptyDir": {}})],
        init_containers: vec![Container {
            name: Some("flowc-shim"),
            image: Some(profile.shim_image.value.clone()),
            command: vec!["/flowc-shim", "install", "/flowc"],
            volume_mounts: mounts.clone(),
            security_context: Some(security_context.clone()),
            ..Container::default()
        }],
        container: Some(Container {
            image: Some(image.value.clone()),
            command: vec!["/flowc/flowc-shim", "step"],
            env,
            env_from: pod::secret_refs(profile.argo.secrets.iter().map(|name| name.value.clone())),
            resources: Some(pod::usual_resources()),
            volume_mounts: mounts,
            security_context: Some(security_context),
            ..Container::default()
        }),
        ..Template::default()
    }
}

fn check_size(plan: &Plan, template: &Value, found: &mut Diagnostics) {
    let size = template.to_string().len();
    if size <= TEMPLATE_LARGE {
        return;
    }
    let (severity, limit) = if size > TEMPLATE_MAX {
        (
            Severity::Error,
            format!("more than the {TEMPLATE_MAX} that a Workflow can hold"),
        )
    } else {
        (
            Severity::Warning,
            "which leaves little room for the status of a run".to_owned(),
        )
    };
    let message = format!(
        "the workflow template of `{}` is {size} bytes long, {limit}",
        plan.flow
    );
    found.push(
        Diagnostic::new(Code::FC2001, severity, message)
            .label(plan.span, format!("{} steps", plan.steps.len()))
            .help("use a foreach where steps do the same, or divide the flow"),
    );
}

pub(crate) fn value(content: &impl Serialize) -> Value {
    // Texts, numbers and lists with text keys always become JSON.
    serde_json::to_value(content).unwrap_or(Value::Null)
}
