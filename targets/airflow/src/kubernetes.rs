//! What a step's pod asks of Kubernetes, as arguments of its operator.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{PlanStep, Resources};
use flowc_core::source::Span;
use flowc_target::Options;
use flowc_target::profile::{ImagePullPolicy, Setting};
use indexmap::IndexMap;

use crate::layout::Expr;

/// Pause between two looks at whether a pod has started, seconds.
/// The provider's own is 5, which a step of a second has to wait for: nobody looks for its end any earlier.
const START_CHECK_S: u32 = 2;

/// Attributes of `@kubernetes` that this module maps, besides the amounts in [`Resources`].
pub(crate) const ATTRIBUTES: &[&str] = &[
    "image",
    "image_pull_policy",
    "image_pull_secrets",
    "service_account",
    "secrets",
    "node_selector",
    "namespace",
    "gpu_vendor",
    "tolerations",
    "labels",
    "annotations",
    "qos",
];

/// What a step without attributes asks for: 1 CPU and 4096 MiB, as the plan fills in.
const REQUESTS: (u32, u32) = (1000, 4096);

/// An argument of an operator.
type Argument = (&'static str, Expr);

/// The constants that describe the pods of all steps.
pub(crate) fn constants(options: &Options) -> Vec<Argument> {
    let shim = Expr::call(
        "k8s.V1Container",
        vec![
            ("name", Expr::text("flowc-shim")),
            ("image", text(&options.profile.shim_image.value)),
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
    // What restricted namespaces ask of every container; the user is the image's business unless the profile says otherwise.
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
    let security = Expr::call("k8s.V1SecurityContext", security);
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

/// Arguments that all operators share, for `default_args`.
pub(crate) fn defaults(options: &Options) -> Vec<(String, Expr)> {
    let profile = &options.profile;
    let airflow = &profile.airflow;
    let image = airflow.image.as_ref().unwrap_or(&profile.image);
    let mut defaults = vec![
        ("image", text(&image.value)),
        ("namespace", text(&airflow.namespace.value)),
    ];
    let texts = [
        ("service_account_name", &airflow.service_account),
        ("kubernetes_conn_id", &airflow.kubernetes_conn_id),
        ("pool", &airflow.pool),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            defaults.push((name, text(&value.value)));
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

/// Arguments of one step's operator: what differs from the defaults.
pub(crate) fn pod(step: &PlanStep, options: &Options) -> (Vec<Argument>, Diagnostics) {
    let empty = IndexMap::new();
    let mut mapper = Mapper {
        options,
        values: step
            .kubernetes
            .as_ref()
            .map_or(&empty, |written| &written.values),
        arguments: Vec::new(),
        found: Diagnostics::default(),
    };
    mapper.resources(&step.resources);
    mapper.texts();
    mapper.objects();
    (mapper.arguments, mapper.found)
}

struct Mapper<'a> {
    options: &'a Options,
    values: &'a IndexMap<String, (Literal, Span)>,
    arguments: Vec<Argument>,
    found: Diagnostics,
}

impl Mapper<'_> {
    fn resources(&mut self, asked: &Resources) {
        let mut differing = Vec::new();
        if asked.cpu_milli != REQUESTS.0 {
            differing.push(("cpu", cpu(asked.cpu_milli)));
        }
        if asked.memory_mib != REQUESTS.1 {
            differing.push(("memory", mebibytes(asked.memory_mib)));
        }
        if let Some(disk) = asked.disk_mib {
            differing.push(("ephemeral-storage", mebibytes(disk)));
        }
        let mut limits = Vec::new();
        if self.word("qos").as_deref() == Some("guaranteed") {
            limits.push(("cpu".to_owned(), cpu(asked.cpu_milli)));
            limits.push(("memory".to_owned(), mebibytes(asked.memory_mib)));
            let disk = asked
                .disk_mib
                .map(|disk| ("ephemeral-storage".to_owned(), mebibytes(disk)));
            limits.extend(disk);
        }
        if asked.gpu > 0 {
            let vendor = self
                .word("gpu_vendor")
                .unwrap_or_else(|| "nvidia".to_owned());
            limits.push((
                format!("{vendor}.com/gpu"),
                Expr::text(asked.gpu.to_string()),
            ));
        }
        if !differing.is_empty() {
            self.arguments.push(("requests", dictionary(differing)));
        }
        if !limits.is_empty() {
            self.arguments.push(("limits", Expr::Dict(limits)));
        }
        if let Some(size) = asked.shared_memory_mib {
            let source = Expr::call(
                "k8s.V1EmptyDirVolumeSource",
                vec![
                    ("medium", Expr::text("Memory")),
                    ("size_limit", mebibytes(size)),
                ],
            );
            let volume = Expr::call(
                "k8s.V1Volume",
                vec![("name", Expr::text("shm")), ("empty_dir", source)],
            );
            let mount = Expr::call(
                "k8s.V1VolumeMount",
                vec![
                    ("name", Expr::text("shm")),
                    ("mount_path", Expr::text("/dev/shm")),
                ],
            );
            self.arguments.push(("volumes", Expr::List(vec![volume])));
            self.arguments
                .push(("volume_mounts", Expr::List(vec![mount])));
        }
    }

    /// Attributes that are one text.
    fn texts(&mut self) {
        let names = [
            ("image", "image"),
            ("namespace", "namespace"),
            ("service_account", "service_account_name"),
        ];
        for (attribute, argument) in names {
            if let Some((Literal::Str(value), _)) = self.values.get(attribute) {
                self.arguments.push((argument, text(value)));
            }
        }
        let word = self.word("image_pull_policy");
        if let Some(policy) = word.as_deref().and_then(ImagePullPolicy::parse) {
            let policy = Expr::text(policy.as_str());
            self.arguments.push(("image_pull_policy", policy));
        }
    }

    /// Attributes that become objects.
    fn objects(&mut self) {
        if let Some(names) = self.list("image_pull_secrets") {
            let secrets = pull_secrets(names.iter().map(String::as_str));
            self.arguments.push(("image_pull_secrets", secrets));
        }
        if let Some(names) = self.list("secrets") {
            let source = |name: &String| {
                let secret = Expr::call("k8s.V1SecretEnvSource", vec![("name", text(name))]);
                Expr::call("k8s.V1EnvFromSource", vec![("secret_ref", secret)])
            };
            let sources = names.iter().map(source).collect();
            self.arguments.push(("env_from", Expr::List(sources)));
        }
        if let Some(selector) = self.selector() {
            self.arguments.push(("node_selector", Expr::Dict(selector)));
        }
        if let Some(labels) = self.dictionary("labels") {
            let mut all: IndexMap<String, Expr> = IndexMap::new();
            for (name, value) in &self.options.profile.labels {
                all.insert(name.clone(), text(&value.value));
            }
            all.extend(labels);
            self.arguments
                .push(("labels", Expr::Dict(all.into_iter().collect())));
        }
        if let Some(annotations) = self.dictionary("annotations") {
            self.arguments
                .push(("annotations", Expr::Dict(annotations)));
        }
        if let Some((Literal::List(tolerations), span)) = self.values.get("tolerations") {
            let tolerations: Vec<_> = tolerations
                .iter()
                .filter_map(|toleration| self.toleration(toleration, *span))
                .collect();
            self.arguments
                .push(("tolerations", Expr::List(tolerations)));
        }
    }

    /// Keys as in Kubernetes' Python client, which is what Metaflow takes.
    fn toleration(&mut self, written: &Literal, span: Span) -> Option<Expr> {
        let Literal::Dict(entries) = written else {
            return None;
        };
        let known = ["key", "operator", "value", "effect", "toleration_seconds"];
        let mut arguments = Vec::new();
        for (key, value) in entries {
            match known.into_iter().find(|known| known == key) {
                Some(name) => arguments.push((name, Expr::Data(value.clone()))),
                None => self.found.push(
                    Diagnostic::error(
                        Code::FC0202,
                        format!("a toleration has no `{key}`"),
                        span,
                        "in this list",
                    )
                    .help(format!("its keys are: {}", known.join(", "))),
                ),
            }
        }
        Some(Expr::call("k8s.V1Toleration", arguments))
    }

    /// A dictionary, or `"a=b,c=d"`, or a list of such.
    fn selector(&mut self) -> Option<Vec<(String, Expr)>> {
        if let Some(selector) = self.dictionary("node_selector") {
            return Some(selector);
        }
        let span = self.values.get("node_selector")?.1;
        let parts = self.list("node_selector")?;
        let mut selector = Vec::new();
        for part in parts.iter().flat_map(|part| part.split(',')) {
            if let Some((name, value)) = part.split_once('=') {
                selector.push((name.trim().to_owned(), text(value.trim())));
                continue;
            }
            let message = format!("`{part}` selects no label of a node");
            self.found.push(
                Diagnostic::error(Code::FC0202, message, span, "here")
                    .help("write `\"label=value\"`"),
            );
        }
        Some(selector)
    }

    fn word(&self, attribute: &str) -> Option<String> {
        match self.values.get(attribute) {
            Some((Literal::Str(word), _)) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }

    /// One text or a list of texts.
    fn list(&self, attribute: &str) -> Option<Vec<String>> {
        let written = &self.values.get(attribute)?.0;
        if let Literal::Str(one) = written {
            return Some(vec![one.clone()]);
        }
        let Literal::List(many) = written else {
            return None;
        };
        let text = |item: &Literal| match item {
            Literal::Str(text) => Some(text.clone()),
            Literal::None
            | Literal::Bool(_)
            | Literal::Int(_)
            | Literal::Float(_)
            | Literal::List(_)
            | Literal::Dict(_) => None,
        };
        Some(many.iter().filter_map(text).collect())
    }

    /// A dictionary of texts.
    fn dictionary(&self, attribute: &str) -> Option<Vec<(String, Expr)>> {
        let (Literal::Dict(entries), _) = self.values.get(attribute)? else {
            return None;
        };
        let entries = entries
            .iter()
            .map(|(name, value)| (name.clone(), Expr::Data(value.clone())));
        Some(entries.collect())
    }
}

fn text(text: &str) -> Expr {
    Expr::text(text)
}

fn cpu(milli: u32) -> Expr {
    if milli.is_multiple_of(1000) {
        Expr::text((milli / 1000).to_string())
    } else {
        Expr::text(format!("{milli}m"))
    }
}

fn mebibytes(mebibytes: u32) -> Expr {
    Expr::text(format!("{mebibytes}Mi"))
}

fn pull_secrets<'a>(names: impl Iterator<Item = &'a str>) -> Expr {
    let reference = |name| Expr::call("k8s.V1LocalObjectReference", vec![("name", text(name))]);
    Expr::List(names.map(reference).collect())
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
            .map(|(name, value)| (name.clone(), text(&value.value)))
            .collect(),
    )
}
