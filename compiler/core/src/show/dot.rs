//! The plan for Graphviz.

use std::fmt::Write as _;

use super::{edge_label, first_line};
use crate::ir::plan::{Plan, StepKind};

/// The graph in the DOT language; ends with a line end.
pub fn dot(plan: &Plan) -> String {
    let mut out = format!("digraph {} {{\n", quote(&plan.flow));
    out.push_str("    node [shape=box, fontname=\"Helvetica\"];\n");
    for (_, step) in plan.steps.iter() {
        let doc = first_line(step.doc.as_deref());
        let label = if doc.is_empty() {
            step.name.clone()
        } else {
            format!("{}\n{doc}", step.name)
        };
        let shape = match step.kind {
            StepKind::Join { .. } => ", shape=hexagon",
            StepKind::End => ", style=rounded",
            StepKind::Switch { .. } => ", shape=diamond",
            StepKind::Linear | StepKind::Split { .. } | StepKind::Foreach { .. } => "",
        };
        let _ = writeln!(
            out,
            "    {} [label={}{shape}];",
            quote(&step.name),
            quote(&label)
        );
    }
    for (id, step) in plan.steps.iter() {
        for next in super::targets(step, id) {
            let label = edge_label(step, next);
            let attributes = if label.is_empty() {
                String::new()
            } else {
                format!(" [label={}]", quote(&label))
            };
            let next = quote(&plan.steps[next].name);
            let _ = writeln!(out, "    {} -> {next}{attributes};", quote(&step.name));
        }
    }
    out.push_str("}\n");
    out
}

/// A quoted string; a backslash would start an escape such as `\N`, the node's name.
fn quote(text: &str) -> String {
    let text = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{text}\"")
}
