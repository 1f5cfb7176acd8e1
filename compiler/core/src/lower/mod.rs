//! From the author's flow to the plan that back ends print.

mod attributes;
mod conditional;
mod cron;
mod flow_attributes;
mod parameters;
mod regions;
mod resources;
mod secrets;
mod triggers;

#[cfg(test)]
mod attribute_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::check::{self, CheckInfo};
use crate::diag::Diagnostics;
use crate::ir::arena::Arena;
use crate::ir::flow::{Case, Constant, Decorator, Flow, FlowStepId, Literal, Step, Switch};
use crate::ir::plan::{DecoratorInfo, Plan, PlanCase, PlanConstant, PlanStep, StepId, StepKind};
use crate::source::SourceTree;
use attributes::StepAttributes;

/// Checks the flow and lowers it; the plan is `None` if there is an error among the findings,
/// or if the front end has reported a transition that it could not read.
pub fn plan(tree: &SourceTree, flow: &Flow) -> (Option<Plan>, Diagnostics) {
    let (info, mut diagnostics) = check::check(tree, flow);
    let mut resolved = Vec::with_capacity(flow.steps.len());
    for (id, step) in flow.steps.iter() {
        let (attributes, found) = attributes::resolve(tree, step, decides(&info, id));
        diagnostics.extend(found);
        resolved.push(attributes);
    }
    let (schedule, found) = flow_attributes::schedule(flow);
    diagnostics.extend(found);
    let (project, found) = flow_attributes::project(flow);
    diagnostics.extend(found);
    let (triggers, found) = triggers::resolve(tree, flow, project.as_ref());
    diagnostics.extend(found);
    let (exit_hooks, found) = flow_attributes::exit_hooks(flow);
    diagnostics.extend(found);
    diagnostics.sort();
    if diagnostics.has_errors() {
        return (None, diagnostics);
    }
    let Some(mut steps) = Lowered::new(flow, &info, resolved) else {
        return (None, diagnostics);
    };
    for id in steps.steps.handles().collect::<Vec<_>>() {
        let file = steps.steps[id].span.file;
        steps.steps[id].file.clone_from(&tree.file(file).path);
    }
    let plan = Plan {
        flow: flow.name.value.clone(),
        file: tree.file(flow.file).path.clone(),
        span: flow.name.span,
        doc: flow.doc.clone(),
        root: regions::nest(&steps.steps),
        steps: steps.steps,
        start: steps.start,
        end: steps.end,
        parameters: flow.parameters.iter().map(parameters::resolve).collect(),
        constants: flow.constants.iter().map(constant).collect(),
        schedule,
        triggers,
        project,
        exit_hooks,
        imported_names: imported_names(flow),
        decorators: decorators(&flow.decorators),
        described: flow.described,
        configs: flow.configs.clone(),
        attached: flow.attached.clone(),
    };
    plan.assert_invariants();
    (Some(plan), diagnostics)
}

/// What a step's own code decides about the way on, so that nothing can take its place.
fn decides(info: &CheckInfo, id: FlowStepId) -> Option<&'static str> {
    if info.graph.is_foreach(id) {
        return Some("foreach split");
    }
    info.graph.is_switch(id).then_some("switch")
}

struct Lowered {
    steps: Arena<PlanStep>,
    start: StepId,
    end: StepId,
}

impl Lowered {
    /// `None` if a step leads nowhere, which only the front end can have reported.
    fn new(flow: &Flow, info: &CheckInfo, attributes: Vec<StepAttributes>) -> Option<Self> {
        let (graph, structure) = (&info.graph, &info.structure);
        if graph.broken.contains(&true) {
            return None;
        }
        let mut attributes: Vec<Option<StepAttributes>> =
            attributes.into_iter().map(Some).collect();
        let mut steps = Arena::default();
        let mut ids: Vec<Option<StepId>> = vec![None; flow.steps.len()];
        for id in &structure.order {
            let attributes = attributes[id.index()].take()?;
            ids[id.index()] = Some(steps.push(step(&flow.steps[*id], attributes)));
        }
        // Handles exist only now that all steps are in the arena.
        let handle = |id: FlowStepId| ids[id.index()];
        for id in &structure.order {
            let lowered = handle(*id)?;
            let kind = kind(info, *id, &handle)?;
            let next = &graph.out[id.index()];
            let next: Option<Vec<StepId>> = next.iter().map(|edge| handle(edge.to)).collect();
            let foreach = &structure.foreach[id.index()];
            let foreach: Option<Vec<StepId>> = foreach.iter().map(|split| handle(*split)).collect();
            let parents = parents(info, *id);
            let parents: Option<Vec<StepId>> = parents.into_iter().map(handle).collect();
            let step = &mut steps[lowered];
            (step.kind, step.next, step.foreach, step.parents) = (kind, next?, foreach?, parents?);
        }
        conditional::mark(&mut steps);
        Some(Self {
            start: handle(graph.start?)?,
            end: handle(graph.end?)?,
            steps,
        })
    }
}

/// Everything about a step that does not refer to other steps.
fn step(step: &Step, attributes: StepAttributes) -> PlanStep {
    PlanStep {
        name: step.name.value.clone(),
        kind: StepKind::Linear,
        parents: Vec::new(),
        next: Vec::new(),
        is_conditional: false,
        foreach: Vec::new(),
        span: step.name.span,
        // `plan` knows the files.
        file: String::new(),
        line: step.line,
        doc: step.doc.clone(),
        retry: attributes.retry,
        timeout_s: attributes.timeout_s,
        catch: attributes.catch,
        environment: attributes.environment,
        secrets: attributes.secrets,
        resources: attributes.resources,
        batch: attributes.batch,
        kubernetes: attributes.kubernetes,
        decorators: decorators(&step.decorators),
    }
}

fn kind(
    info: &CheckInfo,
    id: FlowStepId,
    handle: &impl Fn(FlowStepId) -> Option<StepId>,
) -> Option<StepKind> {
    let (graph, structure) = (&info.graph, &info.structure);
    if Some(id) == graph.end {
        return Some(StepKind::End);
    }
    let next = graph.flow.steps[id].next.as_ref()?;
    if let Some(foreach) = &next.foreach {
        return Some(StepKind::Foreach {
            variable: foreach.value.clone(),
            join: handle(structure.join[id.index()]?)?,
            gang: next.gang,
        });
    }
    if let Some(switch) = &next.switch {
        return switch_kind(info, id, switch, handle);
    }
    if graph.is_split(id) {
        return Some(StepKind::Split {
            join: handle(structure.join[id.index()]?)?,
        });
    }
    if let Some(split) = structure.split[id.index()] {
        return Some(StepKind::Join {
            split: handle(split)?,
        });
    }
    Some(StepKind::Linear)
}

fn switch_kind(
    info: &CheckInfo,
    id: FlowStepId,
    switch: &Switch,
    handle: &impl Fn(FlowStepId) -> Option<StepId>,
) -> Option<StepKind> {
    let graph = &info.graph;
    let target = |name: &str| {
        if name == graph.name(id) {
            return handle(id);
        }
        let edges = &graph.out[id.index()];
        let edge = edges.iter().find(|edge| graph.name(edge.to) == name)?;
        handle(edge.to)
    };
    let case = |case: &Case| {
        Some(PlanCase {
            key: case.key.value.clone(),
            target: target(&case.target.value)?,
        })
    };
    Some(StepKind::Switch {
        condition: switch.condition.value.clone(),
        cases: switch.cases.iter().map(case).collect::<Option<_>>()?,
        repeats: graph.repeats[id.index()],
    })
}

/// Predecessors; those of a join in the order in which its split names the branches.
fn parents(info: &CheckInfo, id: FlowStepId) -> Vec<FlowStepId> {
    let mut edges: Vec<_> = info.graph.into[id.index()].iter().collect();
    edges.sort_by_key(|edge| info.structure.branch[edge.from.index()]);
    edges.into_iter().map(|edge| edge.from).collect()
}

fn constant(constant: &Constant) -> PlanConstant {
    let type_name = constant.value.as_ref().map(|value| match value {
        Literal::None => "NoneType",
        Literal::Bool(_) => "bool",
        Literal::Int(_) => "int",
        Literal::Float(_) => "float",
        Literal::Str(_) => "str",
        Literal::List(_) => "list",
        Literal::Dict(_) => "dict",
    });
    PlanConstant {
        name: constant.name.value.clone(),
        type_name: type_name.map(|name| format!("<class '{name}'>")),
    }
}

fn imported_names(flow: &Flow) -> Vec<String> {
    let names = flow.imported_names.iter().map(|name| name.value.clone());
    let sorted: BTreeSet<String> = names.collect();
    sorted.into_iter().collect()
}

fn decorators(written: &[Decorator]) -> Vec<DecoratorInfo> {
    let info = |decorator: &Decorator| DecoratorInfo {
        name: decorator.name.value.clone(),
        is_written: decorator.is_written,
        arguments: decorator
            .arguments
            .iter()
            .map(|(name, argument)| (name.clone(), argument.value.value.clone()))
            .collect(),
    };
    written.iter().map(info).collect()
}
