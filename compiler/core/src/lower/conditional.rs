//! Which steps a switch may pass by.

use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::ir::arena::Arena;
use crate::ir::plan::{PlanStep, StepId, StepKind};

/// Marks the conditional steps.
///
/// A branch is entered by one step. A step of the branch is passed by unless all ways out of the branch lead through it,
/// and so is everything in the branches that such a step opens.
pub(super) fn mark(steps: &mut Arena<PlanStep>) {
    let has_switch = steps.iter().any(|(_, step)| step.is_switch());
    let Some(end) = steps.handles().next_back().filter(|_| has_switch) else {
        return;
    };
    let ids: Vec<StepId> = steps.handles().collect();
    let node = |id: StepId| NodeIndex::<u32>::new(id.index());
    let mut backwards: DiGraph<(), ()> = DiGraph::with_capacity(ids.len(), ids.len());
    for _ in &ids {
        backwards.add_node(());
    }
    for (id, step) in steps.iter() {
        for next in &step.next {
            backwards.add_edge(node(*next), node(id), ());
        }
    }
    let dominators = simple_fast(&backwards, node(end));
    let mut is_certain = vec![false; ids.len()];
    for id in &ids {
        let opens = match steps[*id].parents.first() {
            None => true,
            Some(parent) => match steps[*parent].kind {
                StepKind::Split { .. } | StepKind::Foreach { .. } => {
                    is_certain[parent.index()] && !matches!(steps[*id].kind, StepKind::Join { .. })
                }
                StepKind::Linear
                | StepKind::Join { .. }
                | StepKind::Switch { .. }
                | StepKind::End => false,
            },
        };
        // The ways out of a branch that is certain to be entered; past its join they are certain already.
        let mut at = opens.then_some(*id);
        while let Some(step) = at.filter(|step| !is_certain[step.index()]) {
            is_certain[step.index()] = true;
            let next = dominators.immediate_dominator(node(step));
            at = next.and_then(|next| ids.get(next.index()).copied());
        }
    }
    for id in ids {
        steps[id].is_conditional = !is_certain[id.index()];
    }
}
