//! A plan in forms for people and drawing programs, for `flowc show`.
//!
//! Names and first lines of docstrings are user text: each form has one function that makes them safe there.

mod dot;
mod json;
mod mermaid;
mod text;

pub use dot::dot;
pub use json::json;
pub use mermaid::mermaid;
pub use text::text;

use crate::ir::flow::{CaseKey, Gang, Literal};
use crate::ir::plan::{DecoratorInfo, PlanStep, StepId, StepKind};

/// First line of a docstring, without characters that would move a cursor.
fn first_line(doc: Option<&str>) -> String {
    let line = doc.and_then(|doc| doc.trim().lines().next());
    printable(line.unwrap_or_default())
}

/// The text with control characters as spaces.
fn printable(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(visible).collect()
}

/// What a transition out of a step is called in a drawing; empty for an ordinary one.
fn edge_label(step: &PlanStep, next: StepId) -> String {
    match &step.kind {
        StepKind::Foreach {
            gang: Some(gang), ..
        } => nodes(*gang),
        StepKind::Foreach { variable, .. } => format!("foreach {}", printable(variable)),
        StepKind::Switch { condition, .. } => {
            format!("{} is {}", printable(condition), keys(step, next))
        }
        StepKind::Linear | StepKind::Split { .. } | StepKind::Join { .. } | StepKind::End => {
            String::new()
        }
    }
}

/// How many tasks a gang has.
fn nodes(gang: Gang) -> String {
    match gang.nodes {
        Some(nodes) => format!("gang of {nodes}"),
        None => "gang".to_owned(),
    }
}

/// The successors of a step, itself among them if it may run again.
fn targets(step: &PlanStep, id: StepId) -> impl Iterator<Item = StepId> + '_ {
    let again = step.repeats().then_some(id);
    again.into_iter().chain(step.next.iter().copied())
}

/// The keys for which a switch chooses a step.
fn keys(step: &PlanStep, target: StepId) -> String {
    let StepKind::Switch { cases, .. } = &step.kind else {
        return String::new();
    };
    let cases = cases.iter().filter(|case| case.target == target);
    let keys: Vec<String> = cases.map(|case| printable(&case_key(&case.key))).collect();
    keys.join(", ")
}

/// A key of a switch as Python writes it.
pub(crate) fn case_key(key: &CaseKey) -> String {
    match key {
        CaseKey::Literal(value) => python(value),
        CaseKey::Config { config, key } => format!("self.{config}.{key}"),
    }
}

/// `@retry(times=2)`, as it could be written in Python.
pub(crate) fn decorator(decorator: &DecoratorInfo) -> String {
    let arguments: Vec<String> = decorator
        .arguments
        .iter()
        .map(|(name, value)| format!("{name}={}", python(value)))
        .collect();
    if arguments.is_empty() {
        return format!("@{}", decorator.name);
    }
    format!("@{}({})", decorator.name, arguments.join(", "))
}

/// A literal as Python writes it.
pub(crate) fn python(value: &Literal) -> String {
    match value {
        Literal::None => "None".to_owned(),
        Literal::Bool(true) => "True".to_owned(),
        Literal::Bool(false) => "False".to_owned(),
        Literal::Int(number) => number.to_string(),
        Literal::Float(number) => format!("{number:?}"),
        Literal::Str(text) => format!("{text:?}"),
        Literal::List(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Literal::Dict(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, member)| format!("{name:?}: {}", python(member)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
