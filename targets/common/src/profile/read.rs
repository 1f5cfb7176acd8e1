//! From the text of `flowc.toml` to a [`Config`]; every mistake is reported with its place.

use std::ops::Range;

use flowc_core::diag::{Code, Diagnostic, Diagnostics, suggest};
use flowc_core::source::{FileId, SourceTree, Span};
use flowc_protocol::manifest::EmptyForeach;
use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::rules::{self, Rule};
use super::{
    AirflowProfile, ArgoProfile, Config, DescribeLimits, ForeachMode, ImagePullPolicy, Overlap,
    Profile, Setting, StepFunctionsProfile,
};

/// Largest user id that Kubernetes takes: `runAsUser` is at most 2147483647 (core/v1 validation, `IsValidUserID`).
const USER_MAX: u32 = 2_147_483_647;

/// Reads the file; what could be understood is returned beside the findings.
pub fn read(tree: &SourceTree, file: FileId) -> (Config, Diagnostics) {
    let mut reader = Reader {
        file,
        found: Diagnostics::default(),
    };
    let (document, errors) = DeTable::parse_recoverable(&tree.file(file).text);
    for error in errors {
        let span = reader.span(error.span().unwrap_or(0..0));
        let message = format!("flowc.toml: {}", error.message());
        reader
            .found
            .push(Diagnostic::error(Code::FC0001, message, span, "here"));
    }
    let config = reader.config(document.get_ref());
    (config, reader.found)
}

struct Reader {
    file: FileId,
    found: Diagnostics,
}

impl Reader {
    fn config(&mut self, document: &DeTable<'_>) -> Config {
        self.keys(
            document,
            "at the top",
            &["profile", "package", "describe", "empty_foreach"],
        );
        let mut config = Config {
            empty_foreach: self.empty_foreach(document),
            ..Config::default()
        };
        if let Some(package) = self.table(document, "package") {
            self.keys(package, "in `[package]`", &["include"]);
            config.include = self.strings(package, "include", rules::PATTERN);
        }
        if let Some(describe) = self.table(document, "describe") {
            config.describe = self.describe(describe);
        }
        let Some(profiles) = self.table(document, "profile") else {
            return config;
        };
        for name in profiles.keys() {
            let name = name.get_ref().as_ref();
            let Some(table) = self.table(profiles, name) else {
                continue;
            };
            let profile = self.profile(name, table, config.empty_foreach);
            config.profiles.insert(name.to_owned(), profile);
        }
        config
    }

    fn describe(&mut self, table: &DeTable<'_>) -> DescribeLimits {
        self.keys(
            table,
            "in `[describe]`",
            &["timeout_s", "memory_mib", "answer_mib"],
        );
        let default = DescribeLimits::default();
        let mut number = |key, range, otherwise| {
            let given = self.integer(table, key, range);
            given.unwrap_or(otherwise)
        };
        DescribeLimits {
            timeout_s: number("timeout_s", 1..86_401, default.timeout_s),
            memory_mib: number("memory_mib", 64..1_048_577, default.memory_mib),
            answer_mib: number("answer_mib", 1..1025, default.answer_mib),
        }
    }

    fn profile(
        &mut self,
        name: &str,
        table: &DeTable<'_>,
        empty_foreach: Option<EmptyForeach>,
    ) -> Profile {
        self.keys(
            table,
            &format!("in `[profile.{name}]`"),
            &[
                "store",
                "image",
                "shim_image",
                "run_as_user",
                "env",
                "labels",
                "empty_foreach",
                "overlap",
                "branch",
                "production",
                "step-functions",
                "argo",
                "airflow",
            ],
        );
        let default = Profile::default();
        let overlaps = [("allow", Overlap::Allow), ("skip", Overlap::Skip)];
        Profile {
            name: name.to_owned(),
            store: self
                .string(table, "store", rules::STORE)
                .unwrap_or(default.store),
            image: self
                .string(table, "image", rules::IMAGE)
                .unwrap_or(default.image),
            shim_image: self
                .string(table, "shim_image", rules::IMAGE)
                .unwrap_or(default.shim_image),
            run_as_user: self.integer(table, "run_as_user", 1..USER_MAX + 1),
            env: self.map(table, "env", rules::ENV_NAME, rules::ENV_VALUE),
            labels: self.map(table, "labels", rules::LABEL_KEY, rules::LABEL_VALUE),
            empty_foreach: self
                .empty_foreach(table)
                .or(empty_foreach)
                .unwrap_or_default(),
            overlap: self.choice(table, "overlap", &overlaps).unwrap_or_default(),
            branch: self.string(table, "branch", rules::BRANCH),
            production: self
                .boolean(table, "production")
                .unwrap_or(default.production),
            step_functions: self
                .table(table, "step-functions")
                .map(|table| self.step_functions(name, table))
                .unwrap_or_default(),
            argo: self
                .table(table, "argo")
                .map(|table| self.argo(name, table))
                .unwrap_or_default(),
            airflow: self
                .table(table, "airflow")
                .map(|table| self.airflow(name, table))
                .unwrap_or_default(),
        }
    }

    fn step_functions(&mut self, profile: &str, table: &DeTable<'_>) -> StepFunctionsProfile {
        self.keys(
            table,
            &format!("in `[profile.{profile}.step-functions]`"),
            &[
                "region",
                "account",
                "job_queue",
                "image",
                "job_role",
                "execution_role",
                "state_machine_role",
                "scheduler_role",
                "event_bus",
                "events_role",
                "max_concurrency",
                "foreach",
            ],
        );
        let default = StepFunctionsProfile::default();
        let modes = [
            ("distributed", ForeachMode::Distributed),
            ("inline", ForeachMode::Inline),
        ];
        StepFunctionsProfile {
            region: self
                .string(table, "region", rules::REGION)
                .unwrap_or(default.region),
            account: self
                .string(table, "account", rules::ACCOUNT)
                .unwrap_or(default.account),
            job_queue: self
                .string(table, "job_queue", rules::JOB_QUEUE)
                .unwrap_or(default.job_queue),
            image: self.string(table, "image", rules::IMAGE),
            job_role: self.string(table, "job_role", rules::ARN_ROLE),
            execution_role: self.string(table, "execution_role", rules::ARN_ROLE),
            state_machine_role: self.string(table, "state_machine_role", rules::ARN_ROLE),
            scheduler_role: self.string(table, "scheduler_role", rules::ARN_ROLE),
            event_bus: self
                .string(table, "event_bus", rules::EVENT_BUS)
                .unwrap_or(default.event_bus),
            events_role: self.string(table, "events_role", rules::ARN_ROLE),
            // Step Functions runs at most 10 000 children of a distributed map at a time.
            max_concurrency: self
                .integer(table, "max_concurrency", 1..10_001)
                .unwrap_or(default.max_concurrency),
            foreach: self.choice(table, "foreach", &modes).unwrap_or_default(),
        }
    }

    fn argo(&mut self, profile: &str, table: &DeTable<'_>) -> ArgoProfile {
        self.keys(
            table,
            &format!("in `[profile.{profile}.argo]`"),
            &[
                "context",
                "namespace",
                "service_account",
                "image",
                "image_pull_secrets",
                "secrets",
                "node_selector",
                "parallelism",
                "event_bus",
                "event_source",
                "event_name",
                "event_service_account",
            ],
        );
        let default = ArgoProfile::default();
        ArgoProfile {
            context: self.string(table, "context", rules::CONTEXT),
            namespace: self
                .string(table, "namespace", rules::DNS_LABEL)
                .unwrap_or(default.namespace),
            service_account: self.string(table, "service_account", rules::DNS_SUBDOMAIN),
            image: self.string(table, "image", rules::IMAGE),
            image_pull_secrets: self.strings(table, "image_pull_secrets", rules::DNS_SUBDOMAIN),
            secrets: self.strings(table, "secrets", rules::DNS_SUBDOMAIN),
            node_selector: self.map(table, "node_selector", rules::LABEL_KEY, rules::LABEL_VALUE),
            parallelism: self.integer(table, "parallelism", 1..100_001),
            event_bus: self
                .string(table, "event_bus", rules::DNS_SUBDOMAIN)
                .unwrap_or(default.event_bus),
            event_source: self
                .string(table, "event_source", rules::DNS_SUBDOMAIN)
                .unwrap_or(default.event_source),
            event_name: self
                .string(table, "event_name", rules::EVENT_NAME)
                .unwrap_or(default.event_name),
            event_service_account: self.string(
                table,
                "event_service_account",
                rules::DNS_SUBDOMAIN,
            ),
        }
    }

    fn airflow(&mut self, profile: &str, table: &DeTable<'_>) -> AirflowProfile {
        self.keys(
            table,
            &format!("in `[profile.{profile}.airflow]`"),
            &[
                "dags",
                "url",
                "namespace",
                "service_account",
                "image",
                "image_pull_policy",
                "image_pull_secrets",
                "node_selector",
                "kubernetes_conn_id",
                "pool",
                "owner",
                "tags",
                "max_active_runs",
                "max_active_tasks",
                "foreach_blocks",
                "startup_timeout_s",
            ],
        );
        let default = AirflowProfile::default();
        let policies = [
            ImagePullPolicy::Always,
            ImagePullPolicy::IfNotPresent,
            ImagePullPolicy::Never,
        ]
        .map(|policy| (policy.as_str(), policy));
        AirflowProfile {
            dags: self.string(table, "dags", rules::DAGS),
            url: self.string(table, "url", rules::URL),
            namespace: self
                .string(table, "namespace", rules::DNS_LABEL)
                .unwrap_or(default.namespace),
            service_account: self.string(table, "service_account", rules::DNS_SUBDOMAIN),
            image: self.string(table, "image", rules::IMAGE),
            image_pull_policy: self.choice(table, "image_pull_policy", &policies),
            image_pull_secrets: self.strings(table, "image_pull_secrets", rules::DNS_SUBDOMAIN),
            node_selector: self.map(table, "node_selector", rules::LABEL_KEY, rules::LABEL_VALUE),
            kubernetes_conn_id: self.string(table, "kubernetes_conn_id", rules::AIRFLOW_NAME),
            pool: self.string(table, "pool", rules::AIRFLOW_NAME),
            owner: self
                .string(table, "owner", rules::AIRFLOW_NAME)
                .unwrap_or(default.owner),
            tags: self.strings(table, "tags", rules::AIRFLOW_TAG),
            max_active_runs: self.integer(table, "max_active_runs", 1..100_001),
            max_active_tasks: self.integer(table, "max_active_tasks", 1..100_001),
            foreach_blocks: self
                .integer(table, "foreach_blocks", 1..65)
                .unwrap_or(default.foreach_blocks),
            startup_timeout_s: self
                .integer(table, "startup_timeout_s", 1..86_401)
                .unwrap_or(default.startup_timeout_s),
        }
    }

    fn empty_foreach(&mut self, table: &DeTable<'_>) -> Option<EmptyForeach> {
        let choices = [("fail", EmptyForeach::Fail), ("join", EmptyForeach::Join)];
        self.choice(table, "empty_foreach", &choices)
    }

    /// Reports keys that are not known here.
    fn keys(&mut self, table: &DeTable<'_>, place: &str, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let span = self.span(key.span());
            let message = format!("unknown key `{name}` {place} of flowc.toml");
            let diagnostic =
                Diagnostic::error(Code::FC0303, message, span, "not a key of this table");
            self.found
                .push(match suggest::closest(name, known.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                        span,
                        near,
                        format!("rename it to `{near}`"),
                    ),
                    None => diagnostic.help(format!("known keys: {}", known.join(", "))),
                });
        }
    }

    fn table<'t, 'i>(&mut self, table: &'t DeTable<'i>, key: &str) -> Option<&'t DeTable<'i>> {
        let value = table.get(key)?;
        let found = value.get_ref().as_table();
        if found.is_none() {
            self.wrong(key, value, "a table");
        }
        found
    }

    fn string(&mut self, table: &DeTable<'_>, key: &str, rule: Rule) -> Option<Setting<String>> {
        let value = table.get(key)?;
        self.text(key, value, rule)
    }

    fn text(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        rule: Rule,
    ) -> Option<Setting<String>> {
        match value.get_ref().as_str() {
            Some(text) if (rule.holds)(text) => Some(Setting {
                value: text.to_owned(),
                span: Some(self.span(value.span())),
            }),
            _ => {
                self.wrong(key, value, rule.expected);
                None
            }
        }
    }

    fn strings(&mut self, table: &DeTable<'_>, key: &str, rule: Rule) -> Vec<Setting<String>> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of texts");
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| self.text(key, item, rule))
            .collect()
    }

    fn map(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        name_rule: Rule,
        value_rule: Rule,
    ) -> IndexMap<String, Setting<String>> {
        let mut map = IndexMap::new();
        let Some(entries) = self.table(table, key) else {
            return map;
        };
        for (name, value) in entries {
            let text = name.get_ref().as_ref();
            if !(name_rule.holds)(text) {
                let span = self.span(name.span());
                let message = format!("`{text}` is not a legal name in `{key}`");
                self.found.push(
                    Diagnostic::error(Code::FC0304, message, span, "here")
                        .note(format!("expected {}", name_rule.expected)),
                );
                continue;
            }
            if let Some(value) = self.text(&format!("{key}.{text}"), value, value_rule) {
                map.insert(text.to_owned(), value);
            }
        }
        map
    }

    fn integer(&mut self, table: &DeTable<'_>, key: &str, range: Range<u32>) -> Option<u32> {
        let value = table.get(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("a number from {} to {}", range.start, range.end - 1);
            self.wrong(key, value, &expected);
        }
        number
    }

    fn boolean(&mut self, table: &DeTable<'_>, key: &str) -> Option<Setting<bool>> {
        let value = table.get(key)?;
        let Some(truth) = value.get_ref().as_bool() else {
            self.wrong(key, value, "`true` or `false`");
            return None;
        };
        Some(Setting {
            value: truth,
            span: Some(self.span(value.span())),
        })
    }

    fn choice<T: Copy>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let value = table.get(key)?;
        let text = value.get_ref().as_str();
        let chosen = choices.iter().find(|(name, _)| Some(*name) == text);
        if chosen.is_none() {
            let names: Vec<_> = choices
                .iter()
                .map(|(name, _)| format!("`\"{name}\"`"))
                .collect();
            self.wrong(key, value, &names.join(" or "));
        }
        chosen.map(|(_, choice)| *choice)
    }

    fn wrong(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let span = self.span(value.span());
        let message = format!("wrong value of `{key}` in flowc.toml");
        self.found.push(
            Diagnostic::error(Code::FC0304, message, span, "here")
                .note(format!("expected {expected}")),
        );
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span {
            file: self.file,
            start: range.start as u32,
            end: range.end as u32,
        }
    }
}

#[cfg(test)]
mod tests;
