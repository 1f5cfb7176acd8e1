//! Every step can be reached from the start.

use super::graph::Graph;
use super::prose::list;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::FlowStepId;

/// Which steps can be reached from the start; all of them if there is no start.
pub(super) fn reachable(graph: &Graph) -> Vec<bool> {
    let Some(start) = graph.start else {
        return vec![true; graph.flow.steps.len()];
    };
    let mut seen = vec![false; graph.flow.steps.len()];
    visit(graph, start, &mut seen);
    seen
}

/// Marks `from` and what follows it; returns what was not yet marked.
fn visit(graph: &Graph, from: FlowStepId, seen: &mut [bool]) -> Vec<FlowStepId> {
    let mut found = vec![from];
    seen[from.index()] = true;
    let mut next = 0;
    while let Some(at) = found.get(next).copied() {
        next += 1;
        for edge in &graph.out[at.index()] {
            if !seen[edge.to.index()] {
                seen[edge.to.index()] = true;
                found.push(edge.to);
            }
        }
    }
    found
}

/// Which steps follow a split that cannot be reached: that their join lacks a split is no finding of its own.
pub(super) fn behind_lost_splits(graph: &Graph, reachable: &[bool]) -> Vec<bool> {
    let mut behind = vec![false; graph.flow.steps.len()];
    for (id, _) in graph.steps() {
        let index = id.index();
        if !reachable[index] && !behind[index] && graph.is_split(id) {
            visit(graph, id, &mut behind);
        }
    }
    behind
}

/// Reports the first step of each part that cannot be reached, and names the rest in a note.
///
/// Nothing is reported where a transition leads nowhere we know of: it was probably meant to lead here.
pub(super) fn check(graph: &Graph, reachable: &[bool]) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let leads_nowhere = |id: FlowStepId| graph.broken[id.index()] && reachable[id.index()];
    if graph.steps().any(|(id, _)| leads_nowhere(id)) {
        return diagnostics;
    }
    let mut seen = reachable.to_vec();
    for (id, step) in graph.steps() {
        if seen[id.index()] || !graph.into[id.index()].is_empty() {
            continue;
        }
        let name = &step.name.value;
        let part = visit(graph, id, &mut seen);
        let mut found = Diagnostic::error(
            Code::FC0115,
            format!("step `{name}` is unreachable"),
            step.name.span,
            "no transition leads here",
        );
        if part.len() > 1 {
            let others = part[1..].iter().map(|other| graph.name(*other));
            found = found.note(format!("so {} behind it", list(others, "is", "are")));
        }
        diagnostics.push(found.help(format!(
            "add `self.next(self.{name})` to the step before it, or remove `{name}`"
        )));
    }
    diagnostics
}
