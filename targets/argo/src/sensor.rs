//! `sensor.yaml`: what Argo Events needs to start the flow by events, or by runs of other flows that end well.
//!
//! An event's payload, or the run that ended, becomes the value of a workflow parameter of its own, and from there base64
//! in the start step's environment. Fields and their meaning are those of argo-events 1.9.9 (pkg/apis/events/v1alpha1).

use flowc_core::ir::plan::{Plan, Trigger, Triggers};
use flowc_target::Options;
use serde_json::{Value, json};

use crate::emit::{metadata, run_labels, value};
use crate::manifest::{API, Metadata, Object, Parameter, Spec};
use crate::names;

/// Start of the name of the workflow parameters that say what started the run.
pub(crate) const PARAMETER_PREFIX: &str = "flowc_trigger_";

/// Label by which Argo's own programs find the runs of a template.
pub(crate) const TEMPLATE_KEY: &str = "workflows.argoproj.io/workflow-template";

/// The payload where it holds `{{`, which Argo would take for a template: as JSON in which the second brace is written as its
/// code. Of any other payload it is empty, and argo-events then takes `dataKey`: the payload to the letter.
/// The template is run by argo-events, over the event as data (pkg/sensors/triggers/params.go, `ResolveParamValue`).
const BRACES: &str = r#"{{- $payload := toJson .Input.body.payload -}}{{- if contains "{{" $payload -}}{{- replace "{{" "{\\u007b" $payload -}}{{- end -}}"#;

/// The run that ended, by the Workflow that was watched: `{"run": "argo:NAME"}`, or what it continued.
const RUN: &str = r#"{{- $run := printf "argo:%s" .Input.body.metadata.name -}}{{- range dig "spec" "arguments" "parameters" (list) .Input.body -}}{{- if and (eq .name "flowc_run") .value -}}{{- $run = printf "id:%s" .value -}}{{- end -}}{{- end -}}{{- dict "run" $run | toJson -}}"#;

/// The event source of ours, if runs are waited for, and the Sensor.
pub(crate) fn objects(plan: &Plan, triggers: &Triggers, options: &Options) -> Vec<Value> {
    let watched: serde_json::Map<_, _> = triggers
        .on
        .iter()
        .enumerate()
        .filter_map(|(place, trigger)| Some((dependency(place), watched(plan, trigger, options)?)))
        .collect();
    let mut objects = Vec::new();
    if !watched.is_empty() {
        let spec = json!({
            "eventBusName": options.profile.argo.event_bus.value,
            "template": pod(plan, options),
            "resource": watched,
        });
        objects.push(object(plan, options, "EventSource", spec));
    }
    objects.push(object(
        plan,
        options,
        "Sensor",
        sensor(plan, triggers, options),
    ));
    objects
}

/// Whether runs of other flows are waited for, so that Workflows must be watched.
pub(crate) fn watches(triggers: &Triggers) -> bool {
    let mut all = triggers.on.iter();
    all.any(|trigger| matches!(trigger, Trigger::Run { .. }))
}

/// The workflow parameters by which a run hears what started it; empty where nothing did.
pub(crate) fn parameters(triggers: &Triggers) -> impl Iterator<Item = Parameter> {
    (0..triggers.on.len()).map(|place| Parameter {
        name: format!("{PARAMETER_PREFIX}{place}"),
        value: Some(String::new()),
        ..Parameter::default()
    })
}

/// Name of the flow's Sensor and `EventSource`: a DNS label, since argo-events makes names of other objects of it.
pub(crate) fn name(plan: &Plan) -> String {
    names::without_dots(&names::template_name(plan))
}

/// Name of what the sensor waits for, by its place in the plan.
fn dependency(place: usize) -> String {
    format!("t{place}")
}

fn object(plan: &Plan, options: &Options, kind: &'static str, spec: Value) -> Value {
    value(&Object {
        api_version: API,
        kind,
        metadata: Metadata {
            name: Some(name(plan)),
            ..metadata(plan, options)
        },
        content: Spec { spec },
    })
}

/// Of the pods that argo-events makes.
fn pod(plan: &Plan, options: &Options) -> Value {
    let account = options.profile.argo.event_service_account.as_ref();
    let account = account.map_or_else(
        || names::events_account(plan),
        |account| account.value.clone(),
    );
    json!({
        "serviceAccountName": account,
        "container": {
            "resources": {
                "requests": {"cpu": "100m", "memory": "250Mi"},
                "limits": {"memory": "250Mi"},
            },
            "securityContext": crate::pod::security_context(options.profile.run_as_user),
        },
    })
}

/// Updates of the other flow's Workflows that have succeeded; `None` of an event.
fn watched(plan: &Plan, trigger: &Trigger, options: &Options) -> Option<Value> {
    let Trigger::Run { flow, project, .. } = trigger else {
        return None;
    };
    let own_branch = || plan.project.as_ref()?.branch_name();
    let mut labels =
        vec![json!({"key": "flowc.dev/flow", "operation": "==", "value": names::label(flow)})];
    let branch = project
        .as_ref()
        .and_then(|of| of.branch.clone().or_else(own_branch));
    let places = [
        (
            "flowc.dev/project",
            project.as_ref().map(|of| of.name.clone()),
        ),
        ("flowc.dev/branch", branch),
    ];
    for (key, wanted) in places {
        labels.push(match wanted {
            Some(wanted) => json!({"key": key, "operation": "==", "value": names::label(&wanted)}),
            None => json!({"key": key, "operation": "!", "value": ""}),
        });
    }
    Some(json!({
        "namespace": options.profile.argo.namespace.value,
        "group": "argoproj.io",
        "version": "v1alpha1",
        "resource": "workflows",
        "eventTypes": ["UPDATE"],
        "filter": {
            "labels": labels,
            "fields": [{"key": "status.phase", "operation": "==", "value": "^Succeeded$"}],
        },
    }))
}

fn sensor(plan: &Plan, triggers: &Triggers, options: &Options) -> Value {
    let mut template = json!({"name": "run"});
    if triggers.on.len() > 1 {
        let all: Vec<_> = (0..triggers.on.len()).map(dependency).collect();
        template["conditions"] = json!(all.join(" && "));
    }
    if let Some(reset) = &triggers.reset {
        let mut by_time = json!({"cron": reset.cron});
        if let Some(timezone) = &reset.timezone {
            by_time["timezone"] = json!(timezone);
        }
        template["conditionsReset"] = json!([{"byTime": by_time}]);
    }
    let handed_over = triggers.on.iter().enumerate().map(|(place, trigger)| {
        let mut source = json!({"dependencyName": dependency(place)});
        match trigger {
            Trigger::Event { .. } => {
                source["dataKey"] = json!("body.payload");
                source["dataTemplate"] = json!(BRACES);
            }
            Trigger::Run { .. } => source["dataTemplate"] = json!(RUN),
        }
        json!({"src": source, "dest": format!("spec.arguments.parameters.{place}.value")})
    });
    template["k8s"] = json!({
        "operation": "create",
        "source": {"resource": workflow(plan, triggers, options)},
        "parameters": handed_over.collect::<Vec<_>>(),
    });
    json!({
        "eventBusName": options.profile.argo.event_bus.value,
        "template": pod(plan, options),
        "dependencies": triggers
            .on
            .iter()
            .enumerate()
            .map(|(place, trigger)| waited_for(plan, place, trigger, options))
            .collect::<Vec<_>>(),
        "triggers": [{
            "template": template,
            // An API server that is restarted is no reason to lose an event.
            "retryStrategy": {"steps": 5, "duration": "1s", "factor": 2},
        }],
    })
}

/// A dependency: all must have come.
fn waited_for(plan: &Plan, place: usize, trigger: &Trigger, options: &Options) -> Value {
    let profile = &options.profile.argo;
    let (source, event, filter) = match trigger {
        Trigger::Event { .. } => {
            let name = trigger.event_name(plan.project.as_ref());
            let filter = json!({
                "path": "body.payload.name",
                "type": "string",
                "comparator": "=",
                "value": [exactly(&name)],
            });
            (
                profile.event_source.value.clone(),
                profile.event_name.value.clone(),
                filter,
            )
        }
        // A Workflow that has ended may be updated again: labels, its archive. The first time counts.
        Trigger::Run { .. } => {
            let filter = json!({
                "path": "oldBody.status.phase",
                "type": "string",
                "comparator": "!=",
                "value": ["^Succeeded$"],
            });
            (name(plan), dependency(place), filter)
        }
    };
    json!({
        "name": dependency(place),
        "eventSourceName": source,
        "eventName": event,
        "filters": {"data": [filter]},
    })
}

/// A regular expression for the name and nothing else: filters take texts for expressions.
/// Names are of letters, digits, `_`, `-` and `.`, of which one means something there.
fn exactly(name: &str) -> String {
    format!("^{}$", name.replace('.', r"\."))
}

/// What is created: a run of the template, its parameters by their place.
fn workflow(plan: &Plan, triggers: &Triggers, options: &Options) -> Value {
    let template = names::template_name(plan);
    let mut labels = run_labels(plan, options);
    labels.insert(TEMPLATE_KEY.to_owned(), template.clone());
    json!({
        "apiVersion": API,
        "kind": "Workflow",
        "metadata": {
            "generateName": format!("{template}-"),
            "namespace": options.profile.argo.namespace.value,
            "labels": labels,
        },
        "spec": {
            "arguments": {"parameters": parameters(triggers).collect::<Vec<_>>()},
            "workflowTemplateRef": {"name": template},
        },
    })
}
