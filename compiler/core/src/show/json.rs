//! The plan for programs: names, edges and docstrings.

use serde_json::{Value, json};

use super::decorator;
use crate::ir::flow::CaseKey;
use crate::ir::plan::{Plan, PlanStep, StepId, StepKind};
use crate::ir::project::Project;

/// One JSON object, indented; ends with a line end.
pub fn json(plan: &Plan) -> String {
    let names = |ids: &[StepId]| -> Value {
        let names = ids.iter().map(|id| plan.steps[*id].name.as_str());
        names.collect()
    };
    let steps = plan.steps.iter().map(|(_, step)| {
        let mut entry = json!({
            "name": step.name,
            "type": kind(step),
            "line": step.line,
            "doc": step.doc,
            "next": names(&step.next),
            "parents": names(&step.parents),
            "foreach": names(&step.foreach),
            "decorators": step.decorators.iter().map(decorator).collect::<Value>(),
        });
        match &step.kind {
            StepKind::Foreach {
                variable,
                join,
                gang,
            } => {
                match gang {
                    Some(gang) => entry["num_parallel"] = Value::from(gang.nodes),
                    None => entry["variable"] = Value::from(variable.as_str()),
                }
                entry["join"] = Value::from(plan.steps[*join].name.as_str());
            }
            StepKind::Split { join } => {
                entry["join"] = Value::from(plan.steps[*join].name.as_str());
            }
            StepKind::Join { split } => {
                entry["split"] = Value::from(plan.steps[*split].name.as_str());
            }
            StepKind::Switch {
                condition, cases, ..
            } => {
                entry["condition"] = Value::from(condition.as_str());
                entry["cases"] = cases
                    .iter()
                    .map(|case| {
                        let key = match &case.key {
                            CaseKey::Literal(literal) => value(literal),
                            CaseKey::Config { .. } => Value::from(super::case_key(&case.key)),
                        };
                        json!({"key": key, "next": plan.steps[case.target].name})
                    })
                    .collect();
            }
            StepKind::Linear | StepKind::End => {}
        }
        entry
    });
    let parameters = plan.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "type": format!("{:?}", parameter.ty).to_lowercase(),
            "default": parameter.default.as_ref().map(value),
            "required": parameter.required,
            "help": parameter.help,
        })
    });
    let schedule = plan.schedule.as_ref();
    let project = plan.project.as_ref();
    let whole = json!({
        "flow": plan.flow,
        "file": plan.file,
        "doc": plan.doc,
        "project": project.map(|project| project.name.as_str()),
        "branch": project.and_then(Project::branch_name),
        "schedule": schedule.map(|it| json!({"cron": it.cron, "timezone": it.timezone})),
        "triggers": plan.triggers.as_ref().map(|triggers| {
            let names = triggers.on.iter().map(|one| one.event_name(project));
            names.collect::<Value>()
        }),
        "start": plan.steps[plan.start].name,
        "end": plan.steps[plan.end].name,
        "parameters": parameters.collect::<Value>(),
        "steps": steps.collect::<Value>(),
    });
    format!("{whole:#}\n")
}

fn kind(step: &PlanStep) -> &'static str {
    match step.kind {
        StepKind::Linear => "linear",
        StepKind::Split { .. } => "split",
        StepKind::Foreach { gang: None, .. } => "foreach",
        StepKind::Foreach { gang: Some(_), .. } => "gang",
        StepKind::Join { .. } => "join",
        StepKind::Switch { .. } => "switch",
        StepKind::End => "end",
    }
}

fn value(literal: &crate::ir::flow::Literal) -> Value {
    use crate::ir::flow::Literal;
    match literal {
        Literal::None => Value::Null,
        Literal::Bool(value) => Value::from(*value),
        Literal::Int(value) => Value::from(*value),
        Literal::Float(value) => Value::from(*value),
        Literal::Str(value) => Value::from(value.as_str()),
        Literal::List(items) => items.iter().map(value).collect(),
        Literal::Dict(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), value(member)))
            .collect(),
    }
}
