//! The plan as a Mermaid flowchart, which GitHub draws in Markdown.

use std::fmt::Write as _;

use super::{edge_label, first_line};
use crate::ir::plan::{Plan, StepKind};

/// The flowchart; ends with a line end.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = "flowchart TD\n".to_owned();
    for (_, step) in plan.steps.iter() {
        let doc = first_line(step.doc.as_deref());
        let mut label = quote(&step.name);
        if !doc.is_empty() {
            let _ = write!(label, "<br>{}", quote(&doc));
        }
        let (open, close) = match step.kind {
            StepKind::Join { .. } => ("{{", "}}"),
            StepKind::End => ("([", "])"),
            StepKind::Switch { .. } => ("{", "}"),
            StepKind::Linear | StepKind::Split { .. } | StepKind::Foreach { .. } => ("[", "]"),
        };
        // `end` by itself is a word of the language.
        let _ = writeln!(out, "    step_{}{open}\"{label}\"{close}", step.name);
    }
    for (id, step) in plan.steps.iter() {
        for next in super::targets(step, id) {
            let label = edge_label(step, next);
            let arrow = if label.is_empty() {
                "-->".to_owned()
            } else {
                format!("-->|\"{}\"|", quote(&label))
            };
            let next = &plan.steps[next].name;
            let _ = writeln!(out, "    step_{} {arrow} step_{next}", step.name);
        }
    }
    out
}

/// The inside of a quoted label: Mermaid reads `#35;` as a character, and text after a backtick as Markdown.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' | '"' | '<' | '>' | '&' | '`' | '\\' | '|' | '%' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}
