//! From a plan to the DAG's file.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{Plan, PlanStep, StepId, StepKind};
use flowc_protocol::exit::Exit;
use flowc_protocol::{PROTOCOL, environment};
use flowc_target::{BundleFile, Options};
use indexmap::IndexMap;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use crate::edges::dependencies;
use crate::kubernetes;
use crate::layout::Expr;
use crate::names::{TASK_ID_MAX, body_function, body_group, dag_id, variable};
use crate::params::{RESUME, check_size, check_texts, params};
use crate::pyrepr::{block, quoted};
use crate::version;

/// Retries for pods that ended without a fault of user code, on top of the step's own.
/// The shim counts the starts of user code by itself and ends for good when they are used up.
const INFRASTRUCTURE_RETRIES: u32 = 3;

/// Pause before a retry of a step without `@retry`, seconds.
const RETRY_DELAY_S: u32 = 10;

/// Airflow's time limit comes after the harness's (T) and the shim's (T + 30 s), and after the time that a pod may take to start.
const TIMEOUT_MARGIN_S: u32 = 60;

/// Prints the bundle: one file.
pub(crate) fn emit(plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
    let mut emitter = Emitter {
        plan,
        options,
        bodies: bodies(plan),
        found: Diagnostics::default(),
    };
    if let Err(error) = options.profile.remote_store("airflow", &["s3", "gs", "az"]) {
        emitter.found.push(*error);
    }
    emitter.check_names();
    check_texts(plan, &mut emitter.found);
    check_size(plan, &mut emitter.found);
    let dag_id = dag_id(plan);
    let statements = emitter.statements();
    let arguments = emitter.arguments(&dag_id);
    let text = version::stamp(|version| render(&emitter, &statements, &arguments, version));
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

/// The bodies of foreach splits that are more than one step, in flow order.
fn bodies(plan: &Plan) -> IndexMap<StepId, Vec<StepId>> {
    let mut bodies: IndexMap<StepId, Vec<StepId>> = IndexMap::new();
    for (id, step) in plan.steps.iter() {
        if let Some(split) = step.foreach.last() {
            bodies.entry(*split).or_default().push(id);
        }
    }
    bodies.retain(|_, steps| steps.len() > 1);
    bodies
}

struct Emitter<'a> {
    plan: &'a Plan,
    options: &'a Options,
    bodies: IndexMap<StepId, Vec<StepId>>,
    found: Diagnostics,
}

/// How a step's operator gets its index path.
#[derive(Clone, Copy)]
enum Place {
    /// Outside any foreach.
    Root,
    /// It is the whole body of a foreach.
    Mapped(StepId),
    /// It is one of several steps of a body.
    Body,
}

impl Emitter<'_> {
    fn check_names(&mut self) {
        for (_, step) in self.plan.steps.iter() {
            if step.name.len() > TASK_ID_MAX {
                let message = format!("airflow takes task names of up to {TASK_ID_MAX} characters");
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

    /// Operators in flow order, then the dependencies.
    fn statements(&mut self) -> Vec<String> {
        let mut statements = Vec::new();
        let mut root = Vec::new();
        for (id, step) in self.plan.steps.iter() {
            let Some(&split) = step.foreach.last() else {
                root.push(id);
                statements.push(self.operator(step, Place::Root, 4));
                continue;
            };
            match self.bodies.get(&split) {
                None => statements.push(self.operator(step, Place::Mapped(split), 4)),
                Some(body) if body.first() == Some(&id) => {
                    let body = body.clone();
                    statements.push(self.group(split, &body));
                }
                Some(_) => {}
            }
        }
        let edges = dependencies(self.plan, &root, &self.bodies, 4);
        if !edges.is_empty() {
            statements.push(String::new());
            statements.extend(edges);
        }
        statements
    }

    /// The function that holds a body of several steps.
    fn group(&mut self, split: StepId, body: &[StepId]) -> String {
        let decorator = Expr::call(
            "task_group",
            vec![
                ("group_id", Expr::text(body_group(self.plan, split))),
                ("prefix_group_id", Expr::Data(Literal::Bool(false))),
            ],
        );
        let mut lines = vec![
            String::new(),
            decorator.layout(4, "    @", ""),
            format!("    def {}(index):", body_function(self.plan, split)),
        ];
        for &id in body {
            lines.push(self.operator(&self.plan.steps[id], Place::Body, 8));
        }
        lines.extend(dependencies(self.plan, body, &self.bodies, 8));
        lines.push(String::new());
        lines.join("\n")
    }

    /// One operator call.
    fn operator(&mut self, step: &PlanStep, place: Place, indent: usize) -> String {
        let mut arguments = vec![("task_id", Expr::text(step.name.as_str()))];
        if let Place::Body = place {
            arguments.push(("index", Expr::Code("index".to_owned())));
        }
        if let StepKind::Foreach { .. } = step.kind {
            arguments.push(("foreach", Expr::Data(Literal::Bool(true))));
        }
        let (pod, found) = kubernetes::pod(step, self.options);
        self.found.extend(found);
        arguments.extend(pod);
        if step.restarts() > 0 {
            let retries = step.restarts() + INFRASTRUCTURE_RETRIES;
            arguments.push(("retries", Expr::int(retries)));
        }
        if step.retry.times > 0 {
            arguments.push(("retry_delay", seconds(step.retry.delay_s)));
        }
        if let Some(timeout_s) = step.timeout_s {
            let limit = u64::from(timeout_s)
                + u64::from(TIMEOUT_MARGIN_S)
                + u64::from(self.options.profile.airflow.startup_timeout_s);
            arguments.push((
                "execution_timeout",
                seconds(u32::try_from(limit).unwrap_or(u32::MAX)),
            ));
        }
        if self.joins_a_foreach(step) {
            arguments.push(("trigger_rule", Expr::text("none_failed")));
        }
        let (function, after) = match place {
            Place::Root | Place::Body => ("Step", String::new()),
            Place::Mapped(split) => {
                let split = variable(&self.plan.steps[split].name);
                ("Step.partial", format!(".expand(index={split}.output)"))
            }
        };
        let before = format!("{}{} = ", " ".repeat(indent), variable(&step.name));
        Expr::call(function, arguments).layout(indent, &before, &after)
    }

    /// A foreach over nothing leaves its body skipped; the join runs all the same, unless something failed.
    fn joins_a_foreach(&self, step: &PlanStep) -> bool {
        let StepKind::Join { split } = step.kind else {
            return false;
        };
        matches!(self.plan.steps[split].kind, StepKind::Foreach { .. })
    }

    /// Arguments of `DAG(...)`, laid out one per line.
    fn arguments(&self, dag_id: &str) -> Vec<String> {
        let airflow = &self.options.profile.airflow;
        let none = || Expr::Data(Literal::None);
        let schedule = self.plan.schedule.as_ref().map(|schedule| {
            let zone = schedule.timezone.as_deref().unwrap_or("UTC");
            let cron = Expr::text(schedule.cron.as_str());
            let zone = vec![("timezone", Expr::text(zone))];
            Expr::Call("CronTriggerTimetable".to_owned(), vec![cron], zone)
        });
        let mut tags = vec!["flowc".to_owned()];
        tags.extend(self.plan.project.iter().map(|project| project.name.clone()));
        tags.extend(airflow.tags.iter().map(|tag| tag.value.clone()));
        let mut seen = std::collections::HashSet::new();
        tags.retain(|tag| seen.insert(tag.clone()));
        let tags = tags.into_iter().map(Expr::text).collect();
        let mut arguments = vec![
            ("dag_id", Expr::text(dag_id)),
            ("schedule", schedule.unwrap_or_else(none)),
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
        arguments.push(("params", params(&self.plan.parameters)));
        arguments.push(("default_args", Expr::Code("DEFAULTS".to_owned())));
        arguments
            .into_iter()
            .map(|(name, value)| value.layout(4, &format!("{name}="), ","))
            .collect()
    }

    /// The constants between the imports and the class: all that depends on the profile.
    fn constants(&self, version: &str) -> String {
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
        for (name, value) in kubernetes::constants(options) {
            constant(name, &value);
        }
        let mut defaults = vec![(
            "owner".to_owned(),
            Expr::text(profile.airflow.owner.value.as_str()),
        )];
        defaults.extend(kubernetes::defaults(options));
        defaults.push(("retries".to_owned(), Expr::int(INFRASTRUCTURE_RETRIES)));
        defaults.push(("retry_delay".to_owned(), seconds(RETRY_DELAY_S)));
        constant("DEFAULTS", &Expr::Dict(defaults));
        constants
    }
}

fn seconds(seconds: u32) -> Expr {
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
    // Runs that somebody triggers are not held back, so without a schedule there is nothing to skip.
    let skips_overlaps = emitter.plan.schedule.is_some()
        && emitter.options.profile.overlap == flowc_target::profile::Overlap::Skip;
    let exceptions = if skips_overlaps {
        "AirflowException, AirflowFailException, AirflowSkipException"
    } else {
        "AirflowException, AirflowFailException"
    };
    let context = context! {
        constants => emitter.constants(version),
        has_groups => !emitter.bodies.is_empty(),
        has_schedule => emitter.plan.schedule.is_some(),
        skips_overlaps => skips_overlaps,
        exceptions => exceptions,
        arguments => arguments.to_vec(),
        statements => statements.to_vec(),
    };
    environment
        .render_str(include_str!("dag.py.j2"), context)
        .unwrap_or_else(|error| unreachable!("the template is a constant: {error}"))
}
