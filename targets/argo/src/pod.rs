//! What a step asks of its pod, as fields of its template.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::plan::{Plan, PlanStep, Resources as Wanted};
use flowc_core::source::Span;
use flowc_protocol::environment;
use flowc_target::Options;
use flowc_target::asked::TEMPDIR;
use flowc_target::kubernetes::{self, Pod, Toleration};
use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};

use crate::manifest::{Metadata, Name, Resources, Variable};
use crate::text;

/// Resources of a step that asks for nothing; they stand in the template's defaults.
const USUAL: Wanted = Wanted {
    cpu_milli: 1000,
    memory_mib: 4096,
    gpu: 0,
    disk_mib: None,
    shared_memory_mib: None,
};

/// What restricted namespaces ask of every container; the user is the image's business unless the profile says otherwise.
pub(crate) fn security_context(run_as_user: Option<u32>) -> Value {
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if let Some(user) = run_as_user {
        context["runAsNonRoot"] = json!(true);
        context["runAsUser"] = json!(user);
    }
    context
}

/// Resources for the template's defaults.
pub(crate) fn usual_resources() -> Resources {
    resources(&USUAL, &Pod::default())
}

/// Resources of a step, where they differ from those.
pub(crate) fn own_resources(step: &PlanStep, pod: &Pod) -> Option<Resources> {
    let own = resources(&step.resources, pod);
    (own != usual_resources()).then_some(own)
}

/// What a pod asks for; limits only where Kubernetes wants them, as Metaflow does, unless the step asks for `qos="Guaranteed"`.
fn resources(wanted: &Wanted, pod: &Pod) -> Resources {
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
    let mut limits = if pod.is_guaranteed {
        requests.clone()
    } else {
        IndexMap::new()
    };
    let mut whole = IndexMap::new();
    if wanted.gpu > 0 {
        let vendor = pod.gpu_vendor.as_deref().unwrap_or("nvidia");
        whole.insert(format!("{vendor}.com/gpu"), wanted.gpu.to_string());
    }
    let extended = pod.extended_resources.iter();
    whole.extend(extended.map(|(name, amount)| (name.clone(), amount.to_string())));
    requests.extend(whole.clone());
    limits.extend(whole);
    Resources { requests, limits }
}

/// Volumes of a step, and where they are mounted. Argo adds them to those of the template's defaults.
pub(crate) fn volumes(step: &PlanStep, pod: &Pod) -> (Vec<Value>, Vec<Value>) {
    let mut all = Vec::new();
    let in_memory =
        |size| json!({"emptyDir": {"medium": "Memory", "sizeLimit": format!("{size}Mi")}});
    if let Some(size) = step.resources.shared_memory_mib {
        all.push(("shm".to_owned(), "/dev/shm", in_memory(size)));
    }
    if let Some(tmpfs) = &pod.tmpfs {
        let source = in_memory(tmpfs.size_mib);
        all.push(("tmpfs".to_owned(), tmpfs.path.as_str(), source));
    }
    for (place, claim) in pod.claims.iter().enumerate() {
        let source = json!({"persistentVolumeClaim": {"claimName": claim.name}});
        all.push((format!("claim-{place}"), claim.path.as_str(), source));
    }
    let mount = |(name, path, _): &(String, &str, Value)| json!({"name": name, "mountPath": path});
    let mounts = all.iter().map(mount).collect();
    let volume = |(name, _, source): (String, &str, Value)| {
        let mut volume = Map::from_iter([("name".to_owned(), Value::from(name))]);
        if let Value::Object(source) = source {
            volume.extend(source);
        }
        Value::Object(volume)
    };
    (all.into_iter().map(volume).collect(), mounts)
}

/// Variables of a step besides its index path.
pub(crate) fn variables(step: &PlanStep, pod: &Pod, found: &mut Diagnostics) -> Vec<Variable> {
    let tempdir = pod.tmpfs.as_ref().filter(|tmpfs| tmpfs.is_tempdir);
    let texts = [
        (TEMPDIR, "tmpfs_path", tempdir.map(|tmpfs| &tmpfs.path)),
        (environment::PYTHON, "executable", pod.executable.as_ref()),
    ];
    let mut variables = Vec::new();
    for (name, attribute, value) in texts {
        let Some(value) = value else {
            continue;
        };
        let what = format!("the `{attribute}`");
        match text::environment(value, &what, span(step, attribute)) {
            Ok(value) => variables.push(Variable {
                name: name.to_owned(),
                value,
            }),
            Err(error) => found.push(*error),
        }
    }
    variables
}

/// The profile's secrets and the step's: Argo replaces the list as a whole.
pub(crate) fn secrets(pod: &Pod, options: &Options) -> Vec<Value> {
    if pod.secrets.is_empty() {
        return Vec::new();
    }
    let shared = options.profile.argo.secrets.iter();
    let shared = shared.map(|name| name.value.clone());
    secret_refs(shared.chain(pod.secrets.iter().cloned()))
}

/// Secrets whose keys become environment variables.
pub(crate) fn secret_refs(names: impl Iterator<Item = String>) -> Vec<Value> {
    names
        .map(|name| json!({"secretRef": {"name": name}}))
        .collect()
}

/// Secrets for pulling images, of the profile and of all steps: Argo has them for the whole Workflow only.
pub(crate) fn pull_secrets(plan: &Plan, options: &Options) -> Vec<Name> {
    let shared = options.profile.argo.image_pull_secrets.iter();
    let mut names: IndexSet<String> = shared.map(|name| name.value.clone()).collect();
    for (_, step) in plan.steps.iter() {
        // What is wrong with them is reported with the step's template.
        let pod = kubernetes::read(step, "argo", &mut Diagnostics::default());
        names.extend(pod.image_pull_secrets);
    }
    names.into_iter().map(|name| Name { name }).collect()
}

pub(crate) fn toleration(toleration: &Toleration) -> Value {
    let Toleration {
        key,
        operator,
        value,
        effect,
        seconds,
    } = toleration;
    let texts = [
        ("key", key),
        ("operator", operator),
        ("value", value),
        ("effect", effect),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| {
        let text = text.as_deref()?;
        Some((name.to_owned(), Value::from(text)))
    });
    let seconds = seconds.map(|seconds| ("tolerationSeconds".to_owned(), seconds.into()));
    Value::Object(texts.chain(seconds).collect())
}

pub(crate) fn metadata(step: &PlanStep, pod: &Pod, found: &mut Diagnostics) -> Option<Metadata> {
    for (key, value) in &pod.annotations {
        let what = format!("the annotation `{key}`");
        if let Err(error) = text::literal(value, &what, span(step, "annotations")) {
            found.push(*error);
        }
    }
    (!pod.labels.is_empty() || !pod.annotations.is_empty()).then(|| Metadata {
        labels: pod.labels.clone(),
        annotations: pod.annotations.clone(),
        ..Metadata::default()
    })
}

/// What differs from the security context of the template's defaults.
pub(crate) fn security(pod: &Pod, options: &Options) -> Option<Value> {
    let asked = &pod.security;
    let mut own = Map::new();
    // The defaults forbid it, which a privileged container cannot be told.
    let escalation = asked
        .allow_privilege_escalation
        .or(asked.privileged.filter(|is| *is));
    // With a user in the profile the defaults refuse root.
    let root = asked.run_as_user == Some(0) && options.profile.run_as_user.is_some();
    let non_root = asked.run_as_non_root.or(root.then_some(false));
    let members = [
        ("privileged", asked.privileged.map(Value::from)),
        ("allowPrivilegeEscalation", escalation.map(Value::from)),
        ("runAsUser", asked.run_as_user.map(Value::from)),
        ("runAsGroup", asked.run_as_group.map(Value::from)),
        ("runAsNonRoot", non_root.map(Value::from)),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            own.insert(name.to_owned(), value);
        }
    }
    (!own.is_empty()).then_some(Value::Object(own))
}

/// All pods of a Workflow are in its own namespace.
pub(crate) fn check_namespace(pod: &Pod, options: &Options, found: &mut Diagnostics) {
    let all = &options.profile.argo.namespace.value;
    let Some((namespace, span)) = pod.namespace.as_ref().filter(|(name, _)| name != all) else {
        return;
    };
    let message = format!("argo cannot run a step in the namespace `{namespace}`");
    let label = format!("the run is in `{all}`");
    found.push(
        Diagnostic::error(Code::FC0302, message, *span, label)
            .help("all pods of a run are in its namespace: remove this, or set `namespace` of `[profile.NAME.argo]`"),
    );
}

/// Where an attribute of `@kubernetes` is written.
fn span(step: &PlanStep, attribute: &str) -> Option<Span> {
    let (_, span) = step.kubernetes.as_ref()?.values.get(attribute)?;
    Some(*span)
}
