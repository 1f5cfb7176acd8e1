//! From a plan to the DAG's file.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{Plan, PlanStep, StepId, StepKind};
use flowc_protocol::exit::Exit;
use flowc_protocol::{PROTOCOL, environment};
use flowc_target::{BundleFile, Options};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use crate::edges::Edges;
use crate::groups::{Group, Groups, is_foreach};
use crate::kubernetes;
use crate::layout::{Expr, sequence};
use crate::names::{
    FOREACH_MAX, PATHS, TASK_ID_MAX, body_function, body_group, dag_id, paths_variable, variable,
};
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
        groups: Groups::new(plan),
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

struct Emitter<'a> {
    plan: &'a Plan,
    options: &'a Options,
    groups: Groups,
    found: Diagnostics,
}

/// How a step's operator gets its index path.
#[derive(Clone, Copy)]
enum Place {
    /// Outside any foreach.
    Root,
    /// It is mapped over the index paths of this foreach by itself.
    Mapped(StepId),
    /// It is one of several steps of a mapped task group.
    Grouped,
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

    /// Operators in flow order, then the dependencies.
    fn statements(&mut self) -> Vec<String> {
        let plan = self.plan;
        let edges = Edges::new(plan);
        let mut statements = Vec::new();
        for (id, step) in plan.steps.iter() {
            let Some(group) = self.groups.of(id).cloned() else {
                statements.push(self.operator(step, Place::Root, 4));
                statements.extend(self.paths(id));
                continue;
            };
            if group.steps.first() != Some(&id) {
                continue;
            }
            if let [only] = group.steps[..] {
                let place = Place::Mapped(group.split);
                statements.push(self.operator(&plan.steps[only], place, 4));
            } else {
                statements.push(self.group(&group, &edges));
            }
            for step in group.steps {
                statements.extend(self.paths(step));
            }
        }
        let outer = edges.lines(plan, |from, to| !self.grouped_together(from, to), 4);
        if !outer.is_empty() {
            statements.push(String::new());
            statements.extend(outer);
        }
        statements
    }

    /// Whether the dependency stands inside a task group's function.
    fn grouped_together(&self, from: StepId, to: StepId) -> bool {
        self.groups.of(from).is_some() && self.groups.together(from, to)
    }

    /// The function that holds a group of several steps, and its call, which returns the steps that others refer to.
    fn group(&mut self, group: &Group, edges: &Edges) -> String {
        let plan = self.plan;
        let decorator = Expr::call(
            "task_group",
            vec![
                ("group_id", Expr::text(body_group(plan, group))),
                ("prefix_group_id", Expr::Data(Literal::Bool(false))),
            ],
        );
        let function = body_function(plan, group);
        let mut lines = vec![
            String::new(),
            decorator.layout(4, "    @", ""),
            format!("    def {function}(index):"),
        ];
        for &id in &group.steps {
            lines.push(self.operator(&plan.steps[id], Place::Grouped, 8));
        }
        let inside = |id| group.steps.contains(&id);
        lines.extend(edges.lines(plan, |from, to| inside(from) && inside(to), 8));
        let named = group
            .steps
            .iter()
            .filter(|id| edges.cross(**id, inside) || self.lists_paths(**id))
            .map(|id| variable(&plan.steps[*id].name))
            .collect::<Vec<_>>();
        lines.push(sequence(8, "        return ", &named, ""));
        lines.push(String::new());
        let call = Expr::call(
            &format!("{function}.expand"),
            vec![("index", self.indices(group.split))],
        );
        lines.push(call.layout(4, &sequence(4, "    ", &named, " = "), ""));
        lines.join("\n")
    }

    /// Whether a task lists the index paths of this foreach, from the lists that its splitting tasks return.
    /// The one splitting task of an outermost foreach returns them itself.
    fn lists_paths(&self, split: StepId) -> bool {
        is_foreach(self.plan, split) && self.groups.of(split).is_some()
    }

    /// That task, where there is one.
    fn paths(&self, split: StepId) -> Option<String> {
        let group = self.groups.of(split).filter(|_| self.lists_paths(split))?;
        let name = &self.plan.steps[split].name;
        let call = Expr::call(
            "Paths",
            vec![
                ("task_id", Expr::text(format!("{name}{PATHS}"))),
                ("foreach", Expr::Code(variable(name))),
                ("outer_paths", self.indices(group.split)),
            ],
        );
        let before = format!("    {} = ", paths_variable(self.plan, split));
        Some(call.layout(4, &before, ""))
    }

    /// The index paths over which the body of a foreach is mapped.
    fn indices(&self, split: StepId) -> Expr {
        let variable = if self.lists_paths(split) {
            paths_variable(self.plan, split)
        } else {
            variable(&self.plan.steps[split].name)
        };
        Expr::Code(format!("{variable}.output"))
    }

    /// One operator call.
    fn operator(&mut self, step: &PlanStep, place: Place, indent: usize) -> String {
        let mut arguments = vec![("task_id", Expr::text(step.name.as_str()))];
        if let Place::Grouped = place {
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
        if self.survives_skips(step) {
            arguments.push(("trigger_rule", Expr::text("none_failed")));
        }
        let (function, after) = match place {
            Place::Root | Place::Grouped => ("Step", String::new()),
            Place::Mapped(split) => {
                let expand = Expr::call(".expand", vec![("index", self.indices(split))]);
                ("Step.partial", expand.flat())
            }
        };
        let before = format!("{}{} = ", " ".repeat(indent), variable(&step.name));
        Expr::call(function, arguments).layout(indent, &before, &after)
    }

    /// A foreach over nothing leaves its body skipped; the join runs all the same, unless something failed.
    fn survives_skips(&self, step: &PlanStep) -> bool {
        matches!(step.kind, StepKind::Join { split } if is_foreach(self.plan, split))
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
        if self
            .plan
            .steps
            .handles()
            .any(|id| is_foreach(self.plan, id))
        {
            // What Airflow shows of a mapped task, and its API tells `flowc status`.
            let label = Expr::text("{{ task.index }}");
            defaults.push(("map_index_template".to_owned(), label));
        }
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
        has_groups => emitter.groups.has_task_groups(),
        has_nested => emitter.plan.steps.handles().any(|id| emitter.lists_paths(id)),
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
