//! What the pods of all steps have in common: the constants at the head of the file, and `default_args`.

use flowc_core::ir::flow::Literal;
use flowc_target::Options;
use flowc_target::kubernetes::Security;
use flowc_target::profile::Setting;
use indexmap::IndexMap;

use crate::layout::Expr;
use crate::pod::{cpu, mebibytes, pull_secrets};

/// Pause between two looks at whether a pod has started, seconds.
/// The provider's own is 5, which a step of a second has to wait for: nobody looks for its end any earlier.
const START_CHECK_S: u32 = 2;

/// What a step without attributes asks for: 1 CPU and 4096 MiB, as the plan fills in.
pub(crate) const REQUESTS: (u32, u32) = (1000, 4096);

/// An argument of an operator.
pub(crate) type Argument = (&'static str, Expr);

/// The constants that describe the pods of all steps.
pub(crate) fn constants(options: &Options) -> Vec<Argument> {
    let shim = Expr::call(
        "k8s.V1Container",
        vec![
            ("name", Expr::text("flowc-shim")),
            (
                "image",
                Expr::text(options.profile.shim_image.value.as_str()),
            ),
            (
                "command",
                Expr::List(vec![
                    Expr::text("/flowc-shim"),
                    Expr::text("install"),
                    Expr::text("/flowc"),
                ]),
            ),
            ("volume_mounts", Expr::Code("[MOUNT]".to_owned())),
            ("security_context", Expr::Code("SECURITY".to_owned())),
        ],
    );
    let security = Expr::call("k8s.V1SecurityContext", security(options));
    vec![
        (
            "VOLUME",
            Expr::Code(
                "k8s.V1Volume(name=\"flowc\", empty_dir=k8s.V1EmptyDirVolumeSource())".to_owned(),
            ),
        ),
        (
            "MOUNT",
            Expr::Code("k8s.V1VolumeMount(name=\"flowc\", mount_path=\"/flowc\")".to_owned()),
        ),
        ("SECURITY", security),
        ("SHIM", shim),
        (
            "REQUESTS",
            dictionary([("cpu", cpu(REQUESTS.0)), ("memory", mebibytes(REQUESTS.1))]),
        ),
    ]
}

/// What restricted namespaces ask of every container; the user is the image's business unless the profile says otherwise.
fn security(options: &Options) -> Vec<Argument> {
    let mut security = vec![
        (
            "allow_privilege_escalation",
            Expr::Data(Literal::Bool(false)),
        ),
        (
            "capabilities",
            Expr::Code("k8s.V1Capabilities(drop=[\"ALL\"])".to_owned()),
        ),
        (
            "seccomp_profile",
            Expr::Code("k8s.V1SeccompProfile(type=\"RuntimeDefault\")".to_owned()),
        ),
    ];
    if let Some(user) = options.profile.run_as_user {
        security.push(("run_as_non_root", Expr::Data(Literal::Bool(true))));
        security.push(("run_as_user", Expr::int(user)));
    }
    security
}

/// The same with what a step asks for; `None` if it asks for nothing.
pub(crate) fn own_security(asked: &Security, options: &Options) -> Option<Expr> {
    if *asked == Security::default() {
        return None;
    }
    // Kubernetes refuses a privileged container that is forbidden to gain rights.
    let escalation = asked
        .allow_privilege_escalation
        .or(asked.privileged.filter(|is| *is));
    // With a user in the profile root is refused for all.
    let root = asked.run_as_user == Some(0) && options.profile.run_as_user.is_some();
    let non_root = asked.run_as_non_root.or(root.then_some(false));
    let flag = |flag: bool| Expr::Data(Literal::Bool(flag));
    let own = [
        ("privileged", asked.privileged.map(flag)),
        ("allow_privilege_escalation", escalation.map(flag)),
        ("run_as_non_root", non_root.map(flag)),
        ("run_as_user", asked.run_as_user.map(Expr::int)),
        ("run_as_group", asked.run_as_group.map(Expr::int)),
    ];
    let mut all: IndexMap<&'static str, Expr> = security(options).into_iter().collect();
    for name in ["capabilities", "seccomp_profile"] {
        all.insert(name, Expr::Code(format!("SECURITY.{name}")));
    }
    for (name, value) in own {
        if let Some(value) = value {
            all.insert(name, value);
        }
    }
    let all = all.into_iter().collect();
    Some(Expr::call("k8s.V1SecurityContext", all))
}

/// Arguments that all operators share, for `default_args`.
pub(crate) fn defaults(options: &Options) -> Vec<(String, Expr)> {
    let profile = &options.profile;
    let airflow = &profile.airflow;
    let image = airflow.image.as_ref().unwrap_or(&profile.image);
    let mut defaults = vec![
        ("image", Expr::text(image.value.as_str())),
        ("namespace", Expr::text(airflow.namespace.value.as_str())),
    ];
    let texts = [
        ("service_account_name", &airflow.service_account),
        ("kubernetes_conn_id", &airflow.kubernetes_conn_id),
        ("pool", &airflow.pool),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            defaults.push((name, Expr::text(value.value.as_str())));
        }
    }
    if let Some(policy) = airflow.image_pull_policy {
        defaults.push(("image_pull_policy", Expr::text(policy.as_str())));
    }
    if !airflow.image_pull_secrets.is_empty() {
        let names = airflow
            .image_pull_secrets
            .iter()
            .map(|name| name.value.as_str());
        defaults.push(("image_pull_secrets", pull_secrets(names)));
    }
    if !airflow.node_selector.is_empty() {
        defaults.push(("node_selector", settings(&airflow.node_selector)));
    }
    if !profile.labels.is_empty() {
        defaults.push(("labels", settings(&profile.labels)));
    }
    defaults.push((
        "startup_timeout_seconds",
        Expr::int(airflow.startup_timeout_s),
    ));
    defaults.push(("startup_check_interval_seconds", Expr::int(START_CHECK_S)));
    defaults
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn dictionary(entries: impl IntoIterator<Item = (&'static str, Expr)>) -> Expr {
    Expr::Dict(
        entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn settings(settings: &IndexMap<String, Setting<String>>) -> Expr {
    Expr::Dict(
        settings
            .iter()
            .map(|(name, value)| (name.clone(), Expr::text(value.value.as_str())))
            .collect(),
    )
}
