//! The flat graph as nested regions.

use std::collections::HashMap;

use crate::ir::arena::Arena;
use crate::ir::plan::{Node, PlanStep, Region, StepId, StepKind};

/// The innermost branch that a step lies in: a split and a position in its successors; `None` outside any.
type Branch = Option<(StepId, usize)>;

/// Puts each step into the region of its branch; steps stand after their predecessors.
pub(super) fn nest(steps: &Arena<PlanStep>) -> Region {
    let mut regions: HashMap<Branch, Region> = HashMap::new();
    let mut branches: Vec<Branch> = Vec::with_capacity(steps.len());
    for (id, step) in steps.iter() {
        let branch = branch_of(steps, id, step, &branches);
        branches.push(branch);
        let StepKind::Join { split } = step.kind else {
            let region = regions.entry(branch).or_default();
            region.nodes.push(Node::Step(id));
            continue;
        };
        let node = close(steps, split, id, &mut regions);
        let nodes = &mut regions.entry(branch).or_default().nodes;
        // Behind a switch, steps of other arms may stand after the split already.
        let at = nodes.iter().rposition(|node| *node == Node::Step(split));
        let behind = at.map_or(nodes.len(), |at| at + 1);
        nodes.splice(behind..behind, [node, Node::Step(id)]);
    }
    regions.remove(&None).unwrap_or_default()
}

/// All transitions into a step come from one branch, so that any of them tells.
fn branch_of(steps: &Arena<PlanStep>, id: StepId, step: &PlanStep, branches: &[Branch]) -> Branch {
    if let StepKind::Join { split } = step.kind {
        return branches[split.index()];
    }
    let parent = *step.parents.first()?;
    match steps[parent].kind {
        StepKind::Split { .. } | StepKind::Foreach { .. } => {
            let position = steps[parent].next.iter().position(|next| *next == id);
            Some((parent, position.unwrap_or_default()))
        }
        StepKind::Linear | StepKind::Join { .. } | StepKind::Switch { .. } | StepKind::End => {
            branches[parent.index()]
        }
    }
}

/// The node between a split and its join.
fn close(
    steps: &Arena<PlanStep>,
    split: StepId,
    join: StepId,
    regions: &mut HashMap<Branch, Region>,
) -> Node {
    let step = &steps[split];
    let mut branch = |position| regions.remove(&Some((split, position))).unwrap_or_default();
    if matches!(step.kind, StepKind::Foreach { .. }) {
        let body = branch(0);
        return Node::Map { split, body, join };
    }
    Node::Parallel {
        split,
        branches: (0..step.next.len()).map(branch).collect(),
        join,
    }
}
