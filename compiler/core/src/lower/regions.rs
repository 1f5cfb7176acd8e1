//! The flat graph as nested regions.

use crate::ir::arena::Arena;
use crate::ir::plan::{Node, PlanStep, Region, StepId, StepKind};

/// A split whose branches are being walked.
struct Open {
    split: StepId,
    join: StepId,
    /// Branches that are complete.
    done: Vec<Region>,
    /// What comes before the split, in the region that holds it.
    before: Region,
}

/// Walks from `start` to the end; every split is closed by its join.
pub(super) fn nest(steps: &Arena<PlanStep>, start: StepId) -> Region {
    let mut open: Vec<Open> = Vec::new();
    let mut region = Region::default();
    let mut at = start;
    loop {
        if let Some(top) = open.last_mut().filter(|top| top.join == at) {
            top.done.push(std::mem::take(&mut region));
            if let Some(branch) = steps[top.split].next.get(top.done.len()) {
                at = *branch;
                continue;
            }
            if let Some(closed) = open.pop() {
                region = close(steps, closed);
            }
        }
        region.nodes.push(Node::Step(at));
        let step = &steps[at];
        if let StepKind::Split { join } | StepKind::Foreach { join, .. } = step.kind {
            open.push(Open {
                split: at,
                join,
                done: Vec::with_capacity(step.next.len()),
                before: std::mem::take(&mut region),
            });
        }
        let Some(next) = step.next.first() else {
            return region;
        };
        at = *next;
    }
}

fn close(steps: &Arena<PlanStep>, open: Open) -> Region {
    let Open {
        split,
        join,
        mut done,
        before: mut region,
    } = open;
    let is_foreach = matches!(steps[split].kind, StepKind::Foreach { .. });
    region.nodes.push(match done.pop() {
        Some(body) if is_foreach => Node::Map { split, body, join },
        Some(last) => {
            done.push(last);
            Node::Parallel {
                split,
                branches: done,
                join,
            }
        }
        None => Node::Step(join),
    });
    region
}
