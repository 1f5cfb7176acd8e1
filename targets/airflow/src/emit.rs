//! From a plan to the DAG's file.

use std::collections::BTreeSet;

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::Plan;
use flowc_protocol::exit::Exit;
use flowc_protocol::{PROTOCOL, environment};
use flowc_target::{BundleFile, Options};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use crate::choices::Choices;
use crate::defaults;
use crate::groups::{Groups, is_foreach};
use crate::layout::Expr;
use crate::names::{FOREACH_MAX, TASK_ID_MAX, dag_id};
use crate::params::{RESUME, check_size, check_texts, params};
use crate::pyrepr::{block, quoted};
use crate::triggers;
use crate::version;

/// Retries for pods that ended without a fault of user code, on top of the step's own.
/// The shim counts the starts of user code by itself and ends for good when they are used up.
pub(crate) const INFRASTRUCTURE_RETRIES: u32 = 3;

/// Pause before a retry of a step without `@retry`, seconds.
const RETRY_DELAY_S: u32 = 10;

/// Prints the bundle: one file.
pub(crate) fn emit(plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
    let mut emitter = Emitter {
        plan,
        options,
        groups: Groups::new(plan),
        choices: Choices::new(plan, options.profile.airflow.foreach_blocks > 1),
        asked: BTreeSet::new(),
        has_guaranteed: false,
        found: Diagnostics::default(),
    };
    if let Err(error) = options.profile.remote_store("airflow", &["s3", "gs", "az"]) {
        emitter.found.push(*error);
    }
    emitter.check_names();
    check_texts(plan, &mut emitter.found);
    check_size(plan, &mut emitter.found);
    triggers::check(plan, &mut emitter.found);
    let dag_id = dag_id(plan);
    let statements = emitter.statements();
    let arguments = emitter.arguments(&dag_id);
    let text =
        version::stamp(|version| render(&emitter, &dag_id, &statements, &arguments, version));
    let found = emitter.found;
    if found.has_errors() {
        return (None, found);
    }
    let file = BundleFile {
        path: format!("{dag_id}.py"),
        text,
    };
    (Some(vec![file]), found)
}

/// What the parts of the file are printed from.
pub(crate) struct Emitter<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a Options,
    pub(crate) groups: Groups,
    pub(crate) choices: Choices,
    /// Arguments by which steps ask something of their pods: the class has no lines for what none asks.
    pub(crate) asked: BTreeSet<&'static str>,
    /// Whether a step asks for limits of all that it requests.
    pub(crate) has_guaranteed: bool,
    pub(crate) found: Diagnostics,
}

impl Emitter<'_> {
    fn check_names(&mut self) {
        for (id, step) in self.plan.steps.iter() {
            let (what, longest) = if is_foreach(self.plan, id) {
                ("foreach steps", FOREACH_MAX)
            } else {
                ("tasks", TASK_ID_MAX)
            };
            if step.name.len() > longest {
                let message =
                    format!("airflow takes names of {what} of up to {longest} characters");
                let label = format!("has {}", step.name.len());
                self.found
                    .push(Diagnostic::error(Code::FC0308, message, step.span, label));
            }
        }
        for parameter in &self.plan.parameters {
            if parameter.name == RESUME {
                let message = format!("the input `{RESUME}` makes a run continue an earlier one");
                let label = "a parameter of that name";
                self.found.push(
                    Diagnostic::error(Code::FC0209, message, parameter.span, label)
                        .help("rename the parameter"),
                );
            }
        }
    }

    /// Arguments of `DAG(...)`, laid out one per line.
    fn arguments(&self, dag_id: &str) -> Vec<String> {
        let airflow = &self.options.profile.airflow;
        let mut tags = vec!["flowc".to_owned()];
        if let Some(project) = &self.plan.project {
            let names = [Some(project.name.clone()), project.branch_name()];
            // Airflow takes no longer tags (`TAG_MAX_LEN`, airflow/models/dag.py, 2.11.2); the DAG's id says it all.
            tags.extend(names.into_iter().flatten().filter(|tag| tag.len() <= 100));
        }
        tags.extend(airflow.tags.iter().map(|tag| tag.value.clone()));
        let mut seen = std::collections::HashSet::new();
        tags.retain(|tag| seen.insert(tag.clone()));
        let tags = tags.into_iter().map(Expr::text).collect();
        let mut arguments = vec![
            ("dag_id", Expr::text(dag_id)),
            ("schedule", triggers::schedule(self.plan)),
            (
                "start_date",
                Expr::Code("datetime(2020, 1, 1, tzinfo=timezone.utc)".to_owned()),
            ),
            ("catchup", Expr::Data(Literal::Bool(false))),
            // Whoever deploys a flow wants it to run; a DAG that Airflow knows stays as it is, paused or not.
            ("is_paused_upon_creation", Expr::Data(Literal::Bool(false))),
        ];
        let limits = [
            ("max_active_runs", airflow.max_active_runs),
            ("max_active_tasks", airflow.max_active_tasks),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit {
                arguments.push((name, Expr::int(limit)));
            }
        }
        arguments.push(("tags", Expr::List(tags)));
        arguments.push(("doc_md", Expr::Code("DOC".to_owned())));
        arguments.push(("params", params(self.plan)));
        arguments.push(("default_args", Expr::Code("DEFAULTS".to_owned())));
        arguments
            .into_iter()
            .map(|(name, value)| value.layout(4, &format!("{name}="), ","))
            .collect()
    }

    /// The constants between the imports and the class: all that depends on the profile.
    fn constants(&self, dag_id: &str, version: &str) -> String {
        let options = self.options;
        let profile = &options.profile;
        let mut constants = String::new();
        let mut constant = |name: &str, value: &Expr| {
            constants.push_str(&value.layout(0, &format!("{name} = "), ""));
            constants.push('\n');
        };
        let mut doc = self.plan.doc.clone().unwrap_or_default();
        if !doc.is_empty() {
            doc.push_str("\n\n");
        }
        doc.push_str(version);
        constant("DOC", &Expr::Code(block(&doc)));
        constant(
            "START",
            &Expr::text(self.plan.steps[self.plan.start].name.as_str()),
        );
        if self.has_hooks() {
            let end = self.plan.steps[self.plan.end].name.as_str();
            constant("END", &Expr::text(end));
        }
        let finals = Exit::ALL
            .iter()
            .filter(|exit| !exit.is_transient() && !matches!(exit, Exit::Done | Exit::UserFailure))
            .map(|exit| Expr::int(exit.code()));
        constant("FINAL_EXITS", &Expr::List(finals.collect()));
        let mut env: Vec<(String, Expr)> = profile
            .env
            .iter()
            .map(|(name, value)| (name.clone(), Expr::text(value.value.as_str())))
            .collect();
        env.extend([
            (
                environment::STORE.to_owned(),
                Expr::text(profile.store.value.as_str()),
            ),
            (
                environment::PACKAGE.to_owned(),
                Expr::text(options.package.as_str()),
            ),
            (
                environment::PROTOCOL.to_owned(),
                Expr::text(PROTOCOL.to_string()),
            ),
            (environment::WORK.to_owned(), Expr::text("/flowc/work")),
            (
                environment::REPORT.to_owned(),
                Expr::text("/dev/termination-log"),
            ),
        ]);
        constant("ENV", &Expr::Dict(env));
        for (name, value) in triggers::constants(self.plan, dag_id) {
            constant(name, &value);
        }
        if self.has_blocks() {
            let blocks = (0..profile.airflow.foreach_blocks).map(Expr::int);
            constant("BLOCKS", &Expr::List(blocks.collect()));
        }
        for (name, value) in defaults::constants(options) {
            constant(name, &value);
        }
        let mut defaults = vec![(
            "owner".to_owned(),
            Expr::text(profile.airflow.owner.value.as_str()),
        )];
        defaults.extend(defaults::defaults(options));
        defaults.push(("retries".to_owned(), Expr::int(INFRASTRUCTURE_RETRIES)));
        if self.has_foreach() {
            // What Airflow shows of a mapped task, and its API tells `flowc status`.
            let label = Expr::text("{{ task.index }}");
            defaults.push(("map_index_template".to_owned(), label));
        }
        defaults.push(("retry_delay".to_owned(), seconds(RETRY_DELAY_S)));
        constant("DEFAULTS", &Expr::Dict(defaults));
        constants
    }
}

pub(crate) fn seconds(seconds: u32) -> Expr {
    let (unit, number) = match seconds {
        0 => ("seconds", 0),
        _ if seconds.is_multiple_of(3600) => ("hours", seconds / 3600),
        _ if seconds.is_multiple_of(60) => ("minutes", seconds / 60),
        _ => ("seconds", seconds),
    };
    Expr::call("timedelta", vec![(unit, Expr::int(number))])
}

fn render(
    emitter: &Emitter<'_>,
    dag_id: &str,
    statements: &[String],
    arguments: &[String],
    version: &str,
) -> String {
    let syntax = SyntaxConfig::builder()
        .block_delimiters("<%", "%>")
        .variable_delimiters("<<", ">>")
        .comment_delimiters("<#", "#>")
        .keep_trailing_newline(true)
        .build();
    let mut environment = Environment::new();
    // The delimiters are constants; the tests render the template.
    environment.set_syntax(syntax.unwrap_or_default());
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("py", |text: &str| quoted(text));
    let skips_overlaps = emitter.skips_overlaps();
    let has_switch = emitter.plan.steps.iter().any(|(_, step)| step.is_switch());
    let exceptions = if skips_overlaps || has_switch || emitter.has_blocks() {
        "AirflowException, AirflowFailException, AirflowSkipException"
    } else {
        "AirflowException, AirflowFailException"
    };
    let context = context! {
        constants => emitter.constants(dag_id, version),
        has_groups => emitter.groups.has_task_groups(),
        has_blocks => emitter.has_blocks(),
        has_switch => has_switch,
        has_qos => emitter.has_guaranteed,
        has_env => emitter.asked.contains("env"),
        has_own_security => emitter.asked.contains("container_security_context"),
        in_project => emitter.plan.project.is_some(),
        has_paths => emitter.plan.steps.handles().any(|id| emitter.lists_paths(id)),
        has_schedule => emitter.plan.schedule.is_some(),
        has_triggers => emitter.plan.triggers.is_some(),
        has_needed => triggers::needed(emitter.plan).next().is_some(),
        skips_overlaps => skips_overlaps,
        has_hooks => emitter.has_hooks(),
        exceptions => exceptions,
        arguments => arguments.to_vec(),
        statements => statements.to_vec(),
    };
    environment
        .render_str(include_str!("dag.py.j2"), context)
        .unwrap_or_else(|error| unreachable!("the template is a constant: {error}"))
}
