//! No step may come back to itself.

use std::collections::VecDeque;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::graph::{Edge, Graph};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::FlowStepId;

/// Steps of a long cycle that are named before and after the ellipsis.
const NAMED: usize = 4;

/// Reports the shortest cycle of each knot of steps.
pub(super) fn check(graph: &Graph) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let ids: Vec<FlowStepId> = graph.flow.steps.handles().collect();
    let node = |id: FlowStepId| NodeIndex::<u32>::new(id.index());
    let mut view: DiGraph<(), ()> = DiGraph::with_capacity(ids.len(), ids.len());
    for _ in &ids {
        view.add_node(());
    }
    for edge in graph.out.iter().flatten() {
        view.add_edge(node(edge.from), node(edge.to), ());
    }
    let mut knots: Vec<Vec<usize>> = kosaraju_scc(&view)
        .into_iter()
        .map(|knot| knot.into_iter().map(NodeIndex::index).collect())
        .collect();
    for knot in &mut knots {
        knot.sort_unstable();
    }
    knots.sort_unstable();
    for knot in knots {
        let first = ids[knot[0]];
        let loops = graph.out[knot[0]].iter().any(|edge| edge.to == first);
        if knot.len() == 1 && !loops {
            continue;
        }
        diagnostics.push(report(graph, &shortest(graph, first, &knot)));
    }
    diagnostics
}

/// The shortest way from `first` back to itself inside its knot.
fn shortest(graph: &Graph, first: FlowStepId, knot: &[usize]) -> Vec<Edge> {
    let mut via: Vec<Option<Edge>> = vec![None; graph.flow.steps.len()];
    let mut queue = VecDeque::from([first]);
    while let Some(at) = queue.pop_front() {
        for edge in &graph.out[at.index()] {
            let to = edge.to.index();
            if via[to].is_some() || knot.binary_search(&to).is_err() {
                continue;
            }
            via[to] = Some(*edge);
            queue.push_back(edge.to);
        }
    }
    let mut path = Vec::new();
    let mut at = first;
    while let Some(edge) = via[at.index()] {
        path.push(edge);
        at = edge.from;
        if at == first {
            break;
        }
    }
    path.reverse();
    path
}

fn report(graph: &Graph, path: &[Edge]) -> Diagnostic {
    let Some(last) = path.last() else {
        return Diagnostic::new(Code::FC0114, crate::diag::Severity::Error, "a cycle");
    };
    let back = graph.name(last.to);
    if path.len() == 1 {
        return Diagnostic::error(
            Code::FC0114,
            format!("step `{back}` leads to itself"),
            last.span,
            "a step cannot follow itself",
        )
        .help("loop inside the step, or use `foreach` to run a step several times");
    }
    let mut names: Vec<String> = path
        .iter()
        .map(|edge| format!("`{}`", graph.name(edge.from)))
        .collect();
    names.push(format!("`{back}`"));
    if names.len() > 2 * NAMED + 1 {
        let tail = names.len() - NAMED;
        names.splice(NAMED..tail, ["…".to_owned()]);
    }
    let mut found = Diagnostic::error(
        Code::FC0114,
        format!("there is a cycle: {}", names.join(" → ")),
        last.span,
        format!("leads back to `{back}`"),
    );
    for edge in &path[..(path.len() - 1).min(NAMED)] {
        found = found.label(edge.span, format!("then `{}`", graph.name(edge.to)));
    }
    found.help("change one of these transitions: no step may run again after itself")
}
