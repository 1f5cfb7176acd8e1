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

use crate::ir::flow::Literal;
use crate::ir::plan::{DecoratorInfo, PlanStep, StepKind};

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
fn edge_label(step: &PlanStep) -> String {
    match &step.kind {
        StepKind::Foreach { variable, .. } => format!("foreach {}", printable(variable)),
        StepKind::Linear | StepKind::Split { .. } | StepKind::Join { .. } | StepKind::End => {
            String::new()
        }
    }
}

/// `@retry(times=2)`, as it could be written in Python.
fn decorator(decorator: &DecoratorInfo) -> String {
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
