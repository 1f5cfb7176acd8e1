//! What a step asks of its pod, as arguments of its operator.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::plan::{PlanStep, Resources};
use flowc_core::source::Span;
use flowc_protocol::environment;
use flowc_target::Options;
use flowc_target::asked::TEMPDIR;
use flowc_target::kubernetes::{Pod, Toleration};
use indexmap::{IndexMap, IndexSet};

use crate::defaults::{Argument, REQUESTS, own_security};
use crate::layout::Expr;

/// Entries of a dictionary.
type Entries = Vec<(String, Expr)>;

/// Labels that Airflow gives to its pods or looks for (`operators/pod.py` of the provider, read at 10.25).
const OWN_LABELS: &[&str] = &[
    "airflow-worker",
    "airflow_kpo_in_cluster",
    "airflow_version",
    "already_checked",
    "dag_id",
    "kubernetes_pod_operator",
    "map_index",
    "parent_dag_id",
    "run_id",
    "task_id",
    "try_number",
];

/// Arguments of one step's operator: what differs from the defaults.
pub(crate) fn arguments(
    step: &PlanStep,
    pod: &Pod,
    options: &Options,
    found: &mut Diagnostics,
) -> Vec<Argument> {
    check(step, pod, found);
    let (requests, limits) = resources(&step.resources, pod);
    let (volumes, mounts) = volumes(step, pod);
    let text = |text: &String| Expr::text(text.as_str());
    let arguments = [
        ("requests", dictionary(requests)),
        ("limits", dictionary(limits)),
        ("volumes", list(volumes)),
        ("volume_mounts", list(mounts)),
        ("image", pod.image.as_ref().map(text)),
        (
            "namespace",
            pod.namespace.as_ref().map(|(name, _)| text(name)),
        ),
        (
            "service_account_name",
            pod.service_account.as_ref().map(text),
        ),
        (
            "image_pull_policy",
            pod.image_pull_policy
                .map(|policy| Expr::text(policy.as_str())),
        ),
        ("image_pull_secrets", own_pull_secrets(pod, options)),
        (
            "env_from",
            list(pod.secrets.iter().map(|name| secret(name)).collect()),
        ),
        ("env", dictionary(variables(pod))),
        ("ports", pod.port.map(port)),
        ("node_selector", dictionary(texts(&pod.node_selector))),
        ("labels", labels(pod, options)),
        ("annotations", dictionary(texts(&pod.annotations))),
        (
            "tolerations",
            list(pod.tolerations.iter().map(toleration).collect()),
        ),
        (
            "container_security_context",
            own_security(&pod.security, options),
        ),
    ];
    arguments
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// What Kubernetes takes and Airflow does not.
fn check(step: &PlanStep, pod: &Pod, found: &mut Diagnostics) {
    let mut refuse = |attribute: &str, message: &str, label: &str, help: &str| {
        let span = span(step, attribute);
        found.push(Diagnostic::error(Code::FC0308, message, span, label).help(help));
    };
    if let Some(label) = pod
        .labels
        .keys()
        .find(|key| OWN_LABELS.contains(&key.as_str()))
    {
        refuse(
            "labels",
            &format!("airflow itself puts the label `{label}` on pods"),
            "in this dictionary",
            "give the label another name, such as one with a domain in front",
        );
    }
    // Of a mapped step Airflow keeps the annotations in its database.
    let texts = [
        (
            "annotations",
            pod.annotations.values().any(|text| text.contains('\0')),
        ),
        (
            "executable",
            pod.executable
                .as_ref()
                .is_some_and(|text| text.contains('\0')),
        ),
    ];
    for (attribute, holds_nul) in texts {
        if holds_nul {
            let message = format!("airflow cannot represent the `{attribute}`: it holds NUL");
            refuse(attribute, &message, "here", "remove the `\\0`");
        }
    }
}

/// Requests that differ from those of all steps; limits where Kubernetes wants them, as Metaflow does, or for `qos="Guaranteed"`.
fn resources(asked: &Resources, pod: &Pod) -> (Entries, Entries) {
    let all = [
        ("cpu", cpu(asked.cpu_milli), asked.cpu_milli != REQUESTS.0),
        (
            "memory",
            mebibytes(asked.memory_mib),
            asked.memory_mib != REQUESTS.1,
        ),
    ];
    let disk = asked
        .disk_mib
        .map(|disk| ("ephemeral-storage", mebibytes(disk), true));
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, amount, differs) in all.into_iter().chain(disk) {
        if pod.is_guaranteed {
            limits.push((name.to_owned(), amount.clone()));
        }
        if differs {
            requests.push((name.to_owned(), amount));
        }
    }
    // What is requested of these is what the limit says.
    if asked.gpu > 0 {
        let vendor = pod.gpu_vendor.as_deref().unwrap_or("nvidia");
        let amount = Expr::text(asked.gpu.to_string());
        limits.push((format!("{vendor}.com/gpu"), amount));
    }
    let extended = pod.extended_resources.iter();
    limits.extend(extended.map(|(name, amount)| (name.clone(), Expr::text(amount.to_string()))));
    (requests, limits)
}

/// Volumes of a step, and where they are mounted. The operator adds them to the shim's.
fn volumes(step: &PlanStep, pod: &Pod) -> (Vec<Expr>, Vec<Expr>) {
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    let mut add = |name: String, path: &str, kind: &'static str, source: Expr| {
        let arguments = vec![("name", Expr::text(name.as_str())), (kind, source)];
        volumes.push(Expr::call("k8s.V1Volume", arguments));
        let arguments = vec![("name", Expr::text(name)), ("mount_path", Expr::text(path))];
        mounts.push(Expr::call("k8s.V1VolumeMount", arguments));
    };
    let in_memory = |size| {
        let arguments = vec![
            ("medium", Expr::text("Memory")),
            ("size_limit", mebibytes(size)),
        ];
        Expr::call("k8s.V1EmptyDirVolumeSource", arguments)
    };
    if let Some(size) = step.resources.shared_memory_mib {
        add("shm".to_owned(), "/dev/shm", "empty_dir", in_memory(size));
    }
    if let Some(tmpfs) = &pod.tmpfs {
        let source = in_memory(tmpfs.size_mib);
        add("tmpfs".to_owned(), &tmpfs.path, "empty_dir", source);
    }
    for (place, claim) in pod.claims.iter().enumerate() {
        let source = Expr::call(
            "k8s.V1PersistentVolumeClaimVolumeSource",
            vec![("claim_name", Expr::text(claim.name.as_str()))],
        );
        let name = format!("claim-{place}");
        add(name, &claim.path, "persistent_volume_claim", source);
    }
    (volumes, mounts)
}

/// Variables of a step besides those of all; the operator doubles each `$`.
fn variables(pod: &Pod) -> Entries {
    let tempdir = pod.tmpfs.as_ref().filter(|tmpfs| tmpfs.is_tempdir);
    let all = [
        (TEMPDIR, tempdir.map(|tmpfs| &tmpfs.path)),
        (environment::PYTHON, pod.executable.as_ref()),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Expr::text(value?.as_str()))))
        .collect()
}

/// The profile's and the step's: the images of both are pulled for its pod.
fn own_pull_secrets(pod: &Pod, options: &Options) -> Option<Expr> {
    if pod.image_pull_secrets.is_empty() {
        return None;
    }
    let shared = options.profile.airflow.image_pull_secrets.iter();
    let shared = shared.map(|name| name.value.as_str());
    let own = pod.image_pull_secrets.iter().map(String::as_str);
    let names: IndexSet<&str> = shared.chain(own).collect();
    Some(pull_secrets(names.into_iter()))
}

pub(crate) fn pull_secrets<'a>(names: impl Iterator<Item = &'a str>) -> Expr {
    let reference = |name| {
        let arguments = vec![("name", Expr::text(name))];
        Expr::call("k8s.V1LocalObjectReference", arguments)
    };
    Expr::List(names.map(reference).collect())
}

/// A secret whose keys become environment variables.
fn secret(name: &str) -> Expr {
    let name = vec![("name", Expr::text(name))];
    let source = Expr::call("k8s.V1SecretEnvSource", name);
    Expr::call("k8s.V1EnvFromSource", vec![("secret_ref", source)])
}

fn port(port: u16) -> Expr {
    let port = vec![("container_port", Expr::int(port))];
    Expr::List(vec![Expr::call("k8s.V1ContainerPort", port)])
}

/// The profile's and the step's.
fn labels(pod: &Pod, options: &Options) -> Option<Expr> {
    if pod.labels.is_empty() {
        return None;
    }
    let shared = options.profile.labels.iter();
    let shared = shared.map(|(name, value)| (name.clone(), Expr::text(value.value.as_str())));
    let mut all: IndexMap<String, Expr> = shared.collect();
    all.extend(texts(&pod.labels));
    dictionary(all.into_iter().collect())
}

fn toleration(toleration: &Toleration) -> Expr {
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
    let texts = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, Expr::text(text.as_deref()?))));
    let seconds = seconds.map(|seconds| ("toleration_seconds", Expr::int(seconds)));
    Expr::call("k8s.V1Toleration", texts.chain(seconds).collect())
}

/// Where an attribute of `@kubernetes` is written.
fn span(step: &PlanStep, attribute: &str) -> Span {
    let written = step.kubernetes.as_ref();
    let written = written.and_then(|written| written.values.get(attribute));
    written.map_or(step.span, |(_, span)| *span)
}

fn texts(texts: &IndexMap<String, String>) -> Entries {
    texts
        .iter()
        .map(|(name, value)| (name.clone(), Expr::text(value.as_str())))
        .collect()
}

fn list(items: Vec<Expr>) -> Option<Expr> {
    (!items.is_empty()).then_some(Expr::List(items))
}

fn dictionary(entries: Entries) -> Option<Expr> {
    (!entries.is_empty()).then_some(Expr::Dict(entries))
}

pub(crate) fn cpu(milli: u32) -> Expr {
    if milli.is_multiple_of(1000) {
        Expr::text((milli / 1000).to_string())
    } else {
        Expr::text(format!("{milli}m"))
    }
}

pub(crate) fn mebibytes(mebibytes: u32) -> Expr {
    Expr::text(format!("{mebibytes}Mi"))
}
