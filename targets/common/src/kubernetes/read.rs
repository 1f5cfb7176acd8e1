//! Reading `@kubernetes`; what Kubernetes would refuse is reported and left out.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::PlanStep;
use indexmap::IndexMap;

use super::rules::is_extended_resource;
use super::{Claim, Pod, Security, Toleration};
use crate::asked::{Asked, is_mount_path, whole};
use crate::literal::as_text;
use crate::profile::{self, ImagePullPolicy};

/// Label by which Metaflow's `compute_pool` selects nodes (`kubernetes_decorator.py`, `init`, read at 2.19.39).
const COMPUTE_POOL: &str = "outerbounds.co/compute-pool";

/// Where shared memory is mounted.
const SHARED_MEMORY: &str = "/dev/shm";

/// Largest id of a user or group (`IsValidUserID`).
const ID_MAX: i64 = 0x7fff_ffff;

/// What the step asks for; findings name the target.
pub fn read(step: &PlanStep, target: &'static str, found: &mut Diagnostics) -> Pod {
    let mut reader = Reader {
        step,
        asked: Asked::new("kubernetes", step, target, found),
    };
    let mut pod = Pod {
        image: reader.checked("image", profile::is_image),
        image_pull_policy: reader
            .asked
            .text("image_pull_policy")
            .and_then(|word| ImagePullPolicy::parse(&word)),
        image_pull_secrets: reader.names("image_pull_secrets"),
        service_account: reader.checked("service_account", profile::is_object_name),
        secrets: reader.names("secrets"),
        namespace: reader
            .checked("namespace", profile::is_namespace)
            .zip(reader.asked.span("namespace")),
        node_selector: reader.node_selector(),
        tolerations: reader.tolerations(),
        labels: reader.labels("labels"),
        annotations: reader.annotations(),
        gpu_vendor: reader
            .asked
            .text("gpu_vendor")
            .map(|vendor| vendor.to_ascii_lowercase()),
        is_guaranteed: reader
            .asked
            .text("qos")
            .is_some_and(|qos| qos.eq_ignore_ascii_case("guaranteed")),
        extended_resources: reader.extended_resources(),
        tmpfs: reader.asked.tmpfs(step.resources.memory_mib),
        claims: reader.claims(),
        port: reader
            .asked
            .whole("port")
            .and_then(|port| port.try_into().ok()),
        executable: reader.asked.text("executable"),
        security: reader.security(),
    };
    if let Some(pool) = reader.checked("compute_pool", profile::is_label_value) {
        pod.node_selector.insert(COMPUTE_POOL.to_owned(), pool);
    }
    reader.distinct_paths(&pod);
    reader.gangs_only();
    pod
}

struct Reader<'a> {
    step: &'a PlanStep,
    asked: Asked<'a>,
}

impl Reader<'_> {
    /// A text that must be of a certain form.
    fn checked(&mut self, name: &str, holds: fn(&str) -> bool) -> Option<String> {
        let label = "not of the form that Kubernetes takes";
        self.asked.checked(name, holds, label)
    }

    /// Names of objects.
    fn names(&mut self, name: &str) -> Vec<String> {
        let names = self.asked.texts(name);
        if !names.iter().all(|name| profile::is_object_name(name)) {
            self.asked.refuse(name, "not the name of a secret");
        }
        names
    }

    /// `key=value` in a text, in a list of texts, or a dictionary.
    fn node_selector(&mut self) -> IndexMap<String, String> {
        if let Some(Literal::Dict(_)) = self.asked.value("node_selector") {
            return self.labels("node_selector");
        }
        let texts = self.asked.texts("node_selector");
        let pairs = texts.iter().flat_map(|text| text.split(',')).map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().to_owned()))
        });
        let Some(pairs) = pairs.collect() else {
            self.asked.refuse("node_selector", "not `label=value`");
            return IndexMap::new();
        };
        self.legal_labels("node_selector", pairs)
    }

    fn labels(&mut self, name: &str) -> IndexMap<String, String> {
        let pairs = self.asked.dictionary(name);
        self.legal_labels(name, pairs)
    }

    fn legal_labels(
        &mut self,
        name: &str,
        pairs: IndexMap<String, String>,
    ) -> IndexMap<String, String> {
        let legal = |(key, value): (&String, &String)| {
            profile::is_label_key(key) && profile::is_label_value(value)
        };
        if !pairs.iter().all(legal) {
            self.asked.refuse(name, "not labels of Kubernetes");
        }
        pairs
    }

    fn annotations(&mut self) -> IndexMap<String, String> {
        let annotations = self.asked.dictionary("annotations");
        if !annotations.keys().all(|key| profile::is_label_key(key)) {
            self.asked
                .refuse("annotations", "not names that Kubernetes takes");
        }
        annotations
    }

    fn tolerations(&mut self) -> Vec<Toleration> {
        let Some(Literal::List(items)) = self.asked.value("tolerations") else {
            return Vec::new();
        };
        let tolerations: Option<Vec<Toleration>> = items.iter().map(toleration).collect();
        if tolerations.is_none() {
            self.asked
                .refuse("tolerations", "not tolerations of Kubernetes");
        }
        tolerations.unwrap_or_default()
    }

    fn extended_resources(&mut self) -> IndexMap<String, u64> {
        let Some(Literal::Dict(members)) = self.asked.value("extended_resources") else {
            return IndexMap::new();
        };
        let amounts: Option<IndexMap<String, u64>> = members
            .iter()
            .map(|(name, amount)| {
                let amount = u64::try_from(whole(amount)?).ok()?;
                is_extended_resource(name).then(|| (name.clone(), amount))
            })
            .collect();
        if amounts.is_none() {
            let label = "not names with a domain, and whole numbers";
            self.asked.refuse("extended_resources", label);
        }
        amounts.unwrap_or_default()
    }

    fn claims(&mut self) -> Vec<Claim> {
        let claims = self.asked.dictionary("persistent_volume_claims");
        if !claims.keys().all(|name| profile::is_object_name(name)) {
            self.asked
                .refuse("persistent_volume_claims", "not names of claims");
        } else if !claims.values().all(|path| is_mount_path(path)) {
            let label = "not folders on which a volume can be mounted";
            self.asked.refuse("persistent_volume_claims", label);
        }
        claims
            .into_iter()
            .map(|(name, path)| Claim { name, path })
            .collect()
    }

    fn security(&mut self) -> Security {
        let Some(Literal::Dict(members)) = self.asked.value("security_context") else {
            return Security::default();
        };
        let mut security = Security::default();
        for (key, value) in members {
            let (flag, id) = match value {
                Literal::None => continue,
                Literal::Bool(flag) => (Some(*flag), None),
                Literal::Int(id @ 0..=ID_MAX) => (None, Some(*id)),
                Literal::Int(_)
                | Literal::Float(_)
                | Literal::Str(_)
                | Literal::List(_)
                | Literal::Dict(_) => (None, None),
            };
            match key.as_str() {
                "privileged" => security.privileged = flag,
                "allow_privilege_escalation" => security.allow_privilege_escalation = flag,
                "run_as_non_root" => security.run_as_non_root = flag,
                "run_as_user" => security.run_as_user = id,
                "run_as_group" => security.run_as_group = id,
                _ => {}
            }
            let is_read = match key.as_str() {
                "privileged" | "allow_privilege_escalation" | "run_as_non_root" => flag.is_some(),
                "run_as_user" | "run_as_group" => id.is_some(),
                _ => false,
            };
            if !is_read {
                let message = format!(
                    "{} cannot use `{key}` in `security_context` of `@kubernetes`",
                    self.asked.target
                );
                let span = self.asked.place("security_context");
                let finding = Diagnostic::error(Code::FC0308, message, span, "in this dictionary");
                self.asked.found.push(finding.help("give `privileged`, `allow_privilege_escalation`, `run_as_non_root` as `True` or `False`, `run_as_user`, `run_as_group` as ids"));
            }
        }
        if security.privileged == Some(true) && security.allow_privilege_escalation == Some(false) {
            let label = "a privileged container may always gain rights";
            self.asked.refuse("security_context", label);
        }
        if security.run_as_user == Some(0) && security.run_as_non_root == Some(true) {
            self.asked.refuse("security_context", "user 0 is root");
        }
        security
    }

    /// No two volumes can be mounted on one folder.
    fn distinct_paths(&mut self, pod: &Pod) {
        let shared = self.step.resources.shared_memory_mib;
        let mut taken: Vec<&str> = shared.map(|_| SHARED_MEMORY).into_iter().collect();
        if let Some(tmpfs) = &pod.tmpfs {
            if taken.contains(&tmpfs.path.trim_end_matches('/')) {
                self.asked
                    .refuse("tmpfs_path", "shared memory is mounted there");
            }
            taken.push(tmpfs.path.trim_end_matches('/'));
        }
        for claim in &pod.claims {
            let path = claim.path.trim_end_matches('/');
            if taken.contains(&path) {
                let label = "another volume is mounted on one of these folders";
                self.asked.refuse("persistent_volume_claims", label);
            }
            taken.push(path);
        }
    }

    /// The workers of a gang wait that long for the address of the first; there are no gangs yet, and Metaflow too uses it only there.
    fn gangs_only(&mut self) {
        let name = "hostname_resolution_timeout";
        if self.asked.value(name).is_none() {
            return;
        }
        let message = format!(
            "{} does not support `{name}` of `@kubernetes`",
            self.asked.target
        );
        let span = self.asked.place(name);
        self.asked.found.push(
            Diagnostic::error(Code::FC0302, message, span, "not supported")
                .help("remove it: it matters for the steps of a `num_parallel` only"),
        );
    }
}

/// Keys as in Kubernetes' Python client, which is what Metaflow takes; combinations as the API server takes them (`ValidateTolerations`).
fn toleration(written: &Literal) -> Option<Toleration> {
    let Literal::Dict(members) = written else {
        return None;
    };
    let mut read = Toleration::default();
    for (key, value) in members {
        if *value == Literal::None {
            continue;
        }
        let text = as_text(value).map(str::to_owned);
        match key.as_str() {
            "key" => read.key = Some(text.filter(|text| profile::is_label_key(text))?),
            "operator" => {
                let known = ["Exists", "Equal"];
                read.operator = Some(text.filter(|text| known.contains(&text.as_str()))?);
            }
            "value" => read.value = Some(text.filter(|text| profile::is_label_value(text))?),
            "effect" => {
                let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
                read.effect = Some(text.filter(|text| known.contains(&text.as_str()))?);
            }
            "toleration_seconds" => read.seconds = Some(whole(value)?),
            _ => return None,
        }
    }
    let exists = read.operator.as_deref() == Some("Exists");
    let fits = (exists || read.key.is_some())
        && !(exists && read.value.as_ref().is_some_and(|value| !value.is_empty()))
        && (read.seconds.is_none() || read.effect.as_deref() == Some("NoExecute"));
    fits.then_some(read)
}
