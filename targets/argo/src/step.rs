//! One step: a container template of a few lines; what all steps share is in the template's defaults.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{PlanStep, Resources as Wanted, StepKind};
use flowc_core::source::Span;
use flowc_protocol::environment;
use flowc_protocol::exit::Exit;
use flowc_target::Options;
use flowc_target::literal::{as_text, to_json};
use flowc_target::profile::{self, ImagePullPolicy};
use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::manifest::{
    Arguments, Backoff, Container, Metadata, Parameter, Resources, RetryStrategy, Template,
    ValueFrom, Variable,
};
use crate::text;

/// Name of the parameter that holds the index path.
pub(crate) const INDEX: &str = "p";

/// Name of the output parameter that holds a foreach's count.
pub(crate) const COUNT: &str = "count";

/// File that takes the count; in the volume that all our containers share.
pub(crate) const COUNT_FILE: &str = "/flowc/count";

/// Name of the output parameter that holds a switch's choice.
pub(crate) const NEXT: &str = "next";

/// File that takes the choice.
pub(crate) const NEXT_FILE: &str = "/flowc/next";

/// The orchestrator's limit lies this far behind the author's: the harness interrupts at T, the shim kills at T + 30.
const TIMEOUT_MARGIN_S: u32 = 60;

/// Losses of a container before user code starts are retried this often on top (DESIGN §4).
const LOSSES: u32 = 3;

/// The container template of a step; what cannot be represented is reported and left out.
pub(crate) fn template(
    step: &PlanStep,
    name: &str,
    options: &Options,
    found: &mut Diagnostics,
) -> Template {
    let mut attributes = Reader { step, found };
    let looped = !step.foreach.is_empty();
    let shared_memory = step.resources.shared_memory_mib;
    let index = Variable {
        name: environment::INDEX.to_owned(),
        value: format!("{{{{inputs.parameters.{INDEX}}}}}"),
    };
    Template {
        name: Some(name.to_owned()),
        metadata: attributes.metadata(),
        inputs: looped.then(|| parameters([Parameter { name: INDEX.to_owned(), ..Parameter::default() }])),
        outputs: output(step),
        retry_strategy: Some(retry_strategy(step)),
        active_deadline_seconds: deadline(step),
        service_account_name: attributes.checked("service_account", profile::is_object_name),
        node_selector: attributes.node_selector(),
        tolerations: attributes.tolerations(),
        volumes: shared_memory
            .map(|size| json!({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": format!("{size}Mi")}}))
            .into_iter()
            .collect(),
        container: Some(Container {
            image: attributes.checked("image", profile::is_image),
            image_pull_policy: attributes
                .text("image_pull_policy")
                .and_then(|word| ImagePullPolicy::parse(&word))
                .map(|policy| policy.as_str().to_owned()),
            args: vec![step.name.clone()],
            env: looped.then_some(index).into_iter().collect(),
            env_from: attributes.secrets(options),
            resources: attributes.resources(),
            volume_mounts: shared_memory
                .map(|_| json!({"name": "shm", "mountPath": "/dev/shm"}))
                .into_iter()
                .collect(),
            ..Container::default()
        }),
        ..Template::default()
    }
}

pub(crate) fn parameters(list: impl IntoIterator<Item = Parameter>) -> Arguments {
    Arguments {
        parameters: list.into_iter().collect(),
    }
}

/// What a task tells Argo: how many tasks follow, or which one.
fn output(step: &PlanStep) -> Option<Arguments> {
    let (name, path, default) = match step.kind {
        StepKind::Foreach { .. } => (COUNT, COUNT_FILE, "0"),
        StepKind::Switch { .. } if chooses(step) => (NEXT, NEXT_FILE, ""),
        StepKind::Linear
        | StepKind::Split { .. }
        | StepKind::Switch { .. }
        | StepKind::Join { .. }
        | StepKind::End => return None,
    };
    Some(parameters([Parameter {
        name: name.to_owned(),
        value_from: Some(ValueFrom { path, default }),
        ..Parameter::default()
    }]))
}

/// Whether more than one step may follow. All cases of a switch may name the same one, or the step itself.
pub(crate) fn chooses(step: &PlanStep) -> bool {
    step.is_switch() && step.next.len() > 1
}

/// A limit for the container, where one task is all that runs in it: each iteration of a loop has the author's limit for
/// itself, and there is none for all of them.
fn deadline(step: &PlanStep) -> Option<u32> {
    Some(step.longest_s()?.saturating_add(TIMEOUT_MARGIN_S))
}

/// What Argo itself does again: losses of a container always, failures of user code as often as the author allows.
///
/// The shim counts the starts of user code and ends the last one that may fail with a code that is not retried,
/// so the limit may count both kinds together. An error of Argo's own has no exit code and is looked at first.
fn retry_strategy(step: &PlanStep) -> RetryStrategy {
    let restarts = step.restarts();
    let user = (restarts > 0).then_some(Exit::UserFailure.code());
    // 70 to 79 are the shim's, whatever build of it runs; 137 is SIGKILL, as for memory, 143 is SIGTERM.
    let codes = user.into_iter().chain(70..=79).chain([137, 143]);
    let codes: Vec<_> = codes.map(|code| code.to_string()).collect();
    let backoff = if step.retry.times > 0 {
        Backoff {
            duration: step.retry.delay_s.max(1).to_string(),
            factor: None,
        }
    } else {
        Backoff {
            duration: "5".to_owned(),
            factor: Some("2"),
        }
    };
    RetryStrategy {
        limit: (restarts + LOSSES).to_string(),
        retry_policy: "Always",
        backoff,
        expression: format!(
            "lastRetry.status == 'Error' || asInt(lastRetry.exitCode) in [{}]",
            codes.join(",")
        ),
    }
}

/// What a pod asks for; limits only where Kubernetes wants them, as Metaflow does, unless the step asks for `qos="Guaranteed"`.
pub(crate) fn resources(wanted: &Wanted, gpu_vendor: &str, guaranteed: bool) -> Resources {
    let cpu = if wanted.cpu_milli.is_multiple_of(1000) {
        (wanted.cpu_milli / 1000).to_string()
    } else {
        format!("{}m", wanted.cpu_milli)
    };
    let mut requests = IndexMap::from([
        ("cpu".to_owned(), cpu),
        ("memory".to_owned(), format!("{}Mi", wanted.memory_mib)),
    ]);
    if let Some(disk) = wanted.disk_mib {
        requests.insert("ephemeral-storage".to_owned(), format!("{disk}Mi"));
    }
    let mut limits = if guaranteed {
        requests.clone()
    } else {
        IndexMap::new()
    };
    if wanted.gpu > 0 {
        let name = format!("{gpu_vendor}.com/gpu");
        requests.insert(name.clone(), wanted.gpu.to_string());
        limits.insert(name, wanted.gpu.to_string());
    }
    Resources { requests, limits }
}

/// Resources of a step that asks for nothing; they stand in the template's defaults.
pub(crate) const USUAL: Wanted = Wanted {
    cpu_milli: 1000,
    memory_mib: 4096,
    gpu: 0,
    disk_mib: None,
    shared_memory_mib: None,
};

/// Reads `@kubernetes` and reports what cannot be represented.
struct Reader<'a> {
    step: &'a PlanStep,
    found: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn value(&self, name: &str) -> Option<(&Literal, Span)> {
        let (value, span) = self.step.kubernetes.as_ref()?.values.get(name)?;
        (*value != Literal::None).then_some((value, *span))
    }

    fn text(&self, name: &str) -> Option<String> {
        let (value, _) = self.value(name)?;
        as_text(value).map(str::to_owned)
    }

    fn refuse(&mut self, name: &str, span: Span, label: &str) {
        let message = format!("argo cannot use this `{name}` of `@kubernetes`");
        self.found
            .push(Diagnostic::error(Code::FC0308, message, span, label));
    }

    /// A text that must be of a certain form.
    fn checked(&mut self, name: &str, holds: fn(&str) -> bool) -> Option<String> {
        let (_, span) = self.value(name)?;
        let text = self.text(name)?;
        if holds(&text) {
            return Some(text);
        }
        self.refuse(name, span, "not of the form that Kubernetes takes");
        None
    }

    /// One text or a list of texts.
    fn texts(&self, name: &str) -> Vec<String> {
        let list = match self.value(name) {
            Some((Literal::List(items), _)) => items.as_slice(),
            Some((one, _)) => std::slice::from_ref(one),
            None => &[],
        };
        list.iter().filter_map(as_text).map(str::to_owned).collect()
    }

    fn resources(&self) -> Option<Resources> {
        let vendor = self.text("gpu_vendor");
        let guaranteed = self.text("qos").as_deref() == Some("Guaranteed");
        let own = resources(
            &self.step.resources,
            vendor.as_deref().unwrap_or("nvidia"),
            guaranteed,
        );
        (own != resources(&USUAL, "nvidia", false)).then_some(own)
    }

    /// The profile's secrets and the step's: Argo replaces the list as a whole.
    fn secrets(&mut self, options: &Options) -> Vec<Value> {
        let own = self.texts("secrets");
        if own.is_empty() {
            return Vec::new();
        }
        if let (Some((_, span)), false) = (
            self.value("secrets"),
            own.iter().all(|name| profile::is_object_name(name)),
        ) {
            self.refuse("secrets", span, "not the name of a secret");
        }
        let shared = options
            .profile
            .argo
            .secrets
            .iter()
            .map(|name| name.value.clone());
        secret_refs(shared.chain(own))
    }

    /// `key=value` in a text, in a list of texts, or a dictionary.
    fn node_selector(&mut self) -> IndexMap<String, String> {
        let Some((value, span)) = self.value("node_selector") else {
            return IndexMap::new();
        };
        let pairs: Vec<(String, String)> = if let Literal::Dict(members) = value {
            let text =
                |value| as_text(value).map_or_else(|| to_json(value).to_string(), str::to_owned);
            members
                .iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect()
        } else {
            self.texts("node_selector")
                .iter()
                .flat_map(|text| text.split(','))
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
                .collect()
        };
        let legal = |(key, value): &(String, String)| {
            profile::is_label_key(key) && profile::is_label_value(value)
        };
        if !pairs.iter().all(legal) {
            self.refuse("node_selector", span, "not labels of Kubernetes");
        }
        pairs.into_iter().collect()
    }

    fn tolerations(&mut self) -> Vec<Value> {
        let Some((Literal::List(items), span)) = self.value("tolerations") else {
            return Vec::new();
        };
        let list: Vec<Value> = items.iter().map(to_json).collect();
        let known = ["key", "operator", "value", "effect", "tolerationSeconds"];
        let legal = |item: &Value| {
            item.as_object().is_some_and(|members| {
                members.iter().all(|(key, value)| {
                    known.contains(&key.as_str())
                        && match value {
                            Value::String(text) => !text.contains("{{") && !text.contains('\0'),
                            Value::Number(number) => number.is_i64() && key == "tolerationSeconds",
                            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                                false
                            }
                        }
                })
            })
        };
        if !list.iter().all(legal) {
            self.refuse("tolerations", span, "not tolerations of Kubernetes");
        }
        list
    }

    fn metadata(&mut self) -> Option<Metadata> {
        let labels = self.dictionary("labels");
        if let (Some((_, span)), false) = (
            self.value("labels"),
            labels
                .iter()
                .all(|(key, value)| profile::is_label_key(key) && profile::is_label_value(value)),
        ) {
            self.refuse("labels", span, "not labels of Kubernetes");
        }
        let annotations = self.dictionary("annotations");
        if let Some((_, span)) = self.value("annotations") {
            for (key, value) in &annotations {
                if !profile::is_label_key(key) {
                    self.refuse("annotations", span, "not a name that Kubernetes takes");
                }
                if let Err(error) =
                    text::literal(value, &format!("the annotation `{key}`"), Some(span))
                {
                    self.found.push(*error);
                }
            }
        }
        (!labels.is_empty() || !annotations.is_empty()).then(|| Metadata {
            labels,
            annotations,
            ..Metadata::default()
        })
    }

    fn dictionary(&self, name: &str) -> IndexMap<String, String> {
        let Some((Literal::Dict(members), _)) = self.value(name) else {
            return IndexMap::new();
        };
        let texts = members
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), as_text(value)?.to_owned())));
        texts.collect()
    }
}

/// Secrets whose keys become environment variables.
pub(crate) fn secret_refs(names: impl Iterator<Item = String>) -> Vec<Value> {
    names
        .map(|name| json!({"secretRef": {"name": name}}))
        .collect()
}
