//! The statements inside `with DAG(...)`: operators in flow order, then the dependencies.

use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{StepId, StepKind};
use flowc_target::kubernetes;

use crate::choices::When;
use crate::edges::Edges;
use crate::emit::{Emitter, INFRASTRUCTURE_RETRIES, seconds};
use crate::groups::{Group, is_foreach};
use crate::layout::{Expr, sequence};
use crate::names::{PATHS, body_function, body_group, paths_variable, variable};
use crate::pod;

/// Airflow's time limit comes after the harness's (T) and the shim's (T + 30 s), and after the time that a pod may take to start.
const TIMEOUT_MARGIN_S: u32 = 60;

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
    /// Operators in flow order, then the dependencies.
    pub(crate) fn statements(&mut self) -> Vec<String> {
        let plan = self.plan;
        let edges = Edges::new(plan);
        let mut statements = Vec::new();
        for id in plan.steps.handles() {
            let Some(group) = self.groups.of(id).cloned() else {
                statements.push(self.operator(id, Place::Root, 4));
                statements.extend(self.paths(id));
                continue;
            };
            if group.steps.first() != Some(&id) {
                continue;
            }
            if let [only] = group.steps[..] {
                let place = Place::Mapped(group.split);
                statements.push(self.operator(only, place, 4));
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
        statements.extend(self.exit_hooks());
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
            format!("    def {function}({}):", self.mapped().join(", ")),
        ];
        for &id in &group.steps {
            lines.push(self.operator(id, Place::Grouped, 8));
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
        let call = Expr::call(&format!("{function}.expand"), self.expanded(group.split));
        lines.push(call.layout(4, &sequence(4, "    ", &named, " = "), ""));
        lines.join("\n")
    }

    /// Whether a task lists the index paths of this foreach, from the lists that its splitting tasks return.
    ///
    /// The one splitting task of an outermost foreach returns them itself. If that is skipped there are none, over which
    /// Airflow cannot expand a step that survives skips. Blocks are made by such a task too.
    pub(crate) fn lists_paths(&self, split: StepId) -> bool {
        if !is_foreach(self.plan, split) {
            return false;
        }
        let survives = |id: StepId| {
            let is_inside = self.plan.steps[id].foreach.last() == Some(&split);
            is_inside && self.choices.survives_skips(self.plan, &self.groups, id)
        };
        let may_be_skipped = self.choices.decide(split) || self.skips_overlaps();
        self.groups.of(split).is_some()
            || self.has_blocks()
            || may_be_skipped && self.plan.steps.handles().any(survives)
    }

    /// What `expand` gives to each task: its index path, or the block that it is of.
    fn mapped(&self) -> &'static [&'static str] {
        if self.has_blocks() {
            &["index", "block"]
        } else {
            &["index"]
        }
    }

    fn expanded(&self, split: StepId) -> Vec<(&'static str, Expr)> {
        let mut arguments = vec![("index", self.indices(split))];
        if self.has_blocks() {
            arguments.push(("block", Expr::Code("BLOCKS".to_owned())));
        }
        arguments
    }

    /// Whether any step opens a foreach.
    pub(crate) fn has_foreach(&self) -> bool {
        let mut steps = self.plan.steps.handles();
        steps.any(|id| is_foreach(self.plan, id))
    }

    /// Whether a foreach may have more tasks than Airflow expands over one list.
    ///
    /// It counts each of several lists, not their product: so the index paths go into lists of as many as there are
    /// blocks, and each task takes the one of its block.
    pub(crate) fn has_blocks(&self) -> bool {
        self.options.profile.airflow.foreach_blocks > 1 && self.has_foreach()
    }

    /// Whether scheduled runs give way. Runs that somebody triggers are not held back, so without a schedule none does.
    pub(crate) fn skips_overlaps(&self) -> bool {
        self.plan.schedule.is_some()
            && self.options.profile.overlap == flowc_target::profile::Overlap::Skip
    }

    /// `{"choose": ["left"]}`: a switch and the choices after which a step runs.
    fn when(&self, when: &When) -> Expr {
        let name = |id: &StepId| self.plan.steps[*id].name.clone();
        let chosen = when.iter().map(|(switch, chosen)| {
            let chosen = chosen.iter().map(|step| Expr::text(name(step)));
            (name(switch), Expr::List(chosen.collect()))
        });
        Expr::Dict(chosen.collect())
    }

    /// That task, where there is one.
    fn paths(&self, split: StepId) -> Option<String> {
        if !self.lists_paths(split) {
            return None;
        }
        let name = &self.plan.steps[split].name;
        let mut arguments = vec![
            ("task_id", Expr::text(format!("{name}{PATHS}"))),
            ("foreach", Expr::Code(variable(name))),
        ];
        if let Some(group) = self.groups.of(split) {
            arguments.push(("outer_paths", self.indices(group.split)));
        }
        let call = Expr::call("Paths", arguments);
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
    fn operator(&mut self, id: StepId, place: Place, indent: usize) -> String {
        let plan = self.plan;
        let step = &plan.steps[id];
        let mut arguments = vec![("task_id", Expr::text(step.name.as_str()))];
        if let Place::Grouped = place {
            let mapped = self.mapped().iter();
            arguments.extend(mapped.map(|name| (*name, Expr::Code((*name).to_owned()))));
        }
        if let StepKind::Foreach { .. } = step.kind {
            arguments.push(("foreach", Expr::Data(Literal::Bool(true))));
        }
        if step.is_switch() {
            arguments.push(("switch", Expr::Data(Literal::Bool(true))));
        }
        if let Some(when) = self.choices.looked_at(plan, &self.groups, id) {
            arguments.push(("when", self.when(when)));
        }
        let asked = kubernetes::read(step, "airflow", &mut self.found);
        self.has_guaranteed |= asked.is_guaranteed;
        let pod = pod::arguments(step, &asked, self.options, &mut self.found);
        self.asked.extend(pod.iter().map(|(name, _)| *name));
        arguments.extend(pod);
        if step.restarts() > 0 {
            let retries = step.restarts() + INFRASTRUCTURE_RETRIES;
            arguments.push(("retries", Expr::int(retries)));
        }
        if step.retry.times > 0 {
            arguments.push(("retry_delay", seconds(step.retry.delay_s)));
        }
        if let Some(timeout_s) = step.longest_s() {
            let limit = u64::from(timeout_s)
                + u64::from(TIMEOUT_MARGIN_S)
                + u64::from(self.options.profile.airflow.startup_timeout_s);
            arguments.push((
                "execution_timeout",
                seconds(u32::try_from(limit).unwrap_or(u32::MAX)),
            ));
        }
        if self.choices.survives_skips(plan, &self.groups, id) {
            arguments.push(("trigger_rule", Expr::text("none_failed")));
        }
        if id == plan.end {
            arguments.push(("outlets", Expr::List(vec![Expr::Code("DONE".to_owned())])));
        }
        let (function, after) = match place {
            Place::Root | Place::Grouped => ("Step", String::new()),
            Place::Mapped(split) => {
                let expand = Expr::call(".expand", self.expanded(split));
                ("Step.partial", expand.flat())
            }
        };
        let before = format!("{}{} = ", " ".repeat(indent), variable(&step.name));
        Expr::call(function, arguments).layout(indent, &before, &after)
    }
}
