//! In which order the nodes of a region run.

use std::collections::HashMap;

use flowc_core::ir::plan::{Node, Plan, Region, StepId};

/// The ways through a region.
pub(crate) struct Ways<'a> {
    plan: &'a Plan,
    region: &'a Region,
    /// Place of each step among the nodes.
    places: HashMap<StepId, usize>,
}

impl<'a> Ways<'a> {
    pub(crate) fn new(plan: &'a Plan, region: &'a Region) -> Self {
        let step = |(place, node): (usize, &Node)| match node {
            Node::Step(id) => Some((*id, place)),
            Node::Parallel { .. } | Node::Map { .. } => None,
        };
        let nodes = region.nodes.iter().enumerate();
        Self {
            plan,
            region,
            places: nodes.filter_map(step).collect(),
        }
    }

    /// Places of the nodes that may follow the one at `place`: several after a switch, none where the region ends.
    pub(crate) fn after(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let is_branches =
            |node: Option<&Node>| matches!(node, Some(Node::Parallel { .. } | Node::Map { .. }));
        // What a split opens stands right behind it, and the join behind that.
        let adjacent = is_branches(self.region.nodes.get(place + 1))
            || is_branches(self.region.nodes.get(place));
        let next = match &self.region.nodes[place] {
            Node::Step(id) if !adjacent => &self.plan.steps[*id].next[..],
            Node::Step(_) | Node::Parallel { .. } | Node::Map { .. } => &[],
        };
        let steps = next.iter().filter_map(|step| self.places.get(step));
        adjacent
            .then_some(place + 1)
            .into_iter()
            .chain(steps.copied())
    }
}
