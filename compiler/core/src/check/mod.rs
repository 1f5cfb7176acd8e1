//! All rules that a flow must obey before it becomes a plan.
//!
//! Each file is one family of rules; all findings are collected, and what only follows from an earlier finding is left out.

mod cycles;
pub(crate) mod decorators;
mod gangs;
pub(crate) mod graph;
mod lengths;
mod parameters;
pub(crate) mod prose;
mod reachability;
pub(crate) mod splits_joins;
mod steps;
#[cfg(test)]
mod tests;

use crate::diag::{Code, Diagnostics};
use crate::ir::flow::Flow;
use crate::source::SourceTree;
use graph::Graph;
pub(crate) use parameters::{convert, is_python_number};
use splits_joins::Structure;

/// What the graph rules found out and lowering needs.
pub(crate) struct CheckInfo<'f> {
    /// The resolved transitions.
    pub(crate) graph: Graph<'f>,
    /// Which join closes which split, the order of the steps, the foreach splits around each.
    pub(crate) structure: Structure,
}

/// Checks the graph and what stands in decorators and parameters, as far as that needs no typed values.
pub(crate) fn check<'f>(tree: &SourceTree, flow: &'f Flow) -> (CheckInfo<'f>, Diagnostics) {
    let (graph, mut diagnostics) = Graph::new(tree, flow);
    diagnostics.extend(steps::check(tree, &graph));
    let cycles = cycles::check(&graph);
    let reachable = reachability::reachable(&graph);
    // A transition that closes a cycle was probably meant to lead on.
    // Nor can anything be said while it is open which step comes first.
    let is_open = diagnostics.iter().any(|it| it.code == Code::FC0126);
    if cycles.is_empty() && !is_open {
        diagnostics.extend(reachability::check(&graph, &reachable));
    }
    diagnostics.extend(cycles);
    let (structure, found) = splits_joins::check(&graph, &reachable);
    if graph.start.is_some() {
        diagnostics.extend(found);
    }
    diagnostics.extend(gangs::check(tree, &graph));
    diagnostics.extend(decorators::check(tree, flow));
    diagnostics.extend(parameters::check(tree, flow));
    diagnostics.extend(lengths::check(flow, &graph));
    (CheckInfo { graph, structure }, diagnostics)
}
