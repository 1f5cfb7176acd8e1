//! The promises of [`Plan`]'s fields, in checkable form.

use super::plan::{Node, Plan, Region, StepId, StepKind};

/// Panics where a promise is broken; that is always a defect of lowering, never of a flow.
pub(super) fn check(plan: &Plan) {
    check_order(plan);
    check_edges(plan);
    check_kinds(plan);
    check_regions(plan);
}

/// `steps`: each after all its predecessors; `start` is the first, `end` the last.
fn check_order(plan: &Plan) {
    let mut handles = plan.steps.handles();
    assert_eq!(handles.next(), Some(plan.start), "start is the first step");
    let last = plan.steps.handles().next_back();
    assert_eq!(last, Some(plan.end), "end is the last step");
    for (id, step) in plan.steps.iter() {
        let is_after = step.parents.iter().all(|parent| *parent < id);
        assert!(is_after, "`{}` stands after its parents", step.name);
        assert_eq!(step.parents.is_empty(), id == plan.start, "{}", step.name);
        assert_eq!(step.next.is_empty(), id == plan.end, "{}", step.name);
    }
}

/// `parents` and `next` are each other's mirror.
fn check_edges(plan: &Plan) {
    let mut forward: Vec<(StepId, StepId)> = Vec::new();
    let mut backward: Vec<(StepId, StepId)> = Vec::new();
    for (id, step) in plan.steps.iter() {
        forward.extend(step.next.iter().map(|next| (id, *next)));
        backward.extend(step.parents.iter().map(|parent| (*parent, id)));
    }
    forward.sort_unstable();
    backward.sort_unstable();
    assert_eq!(forward, backward, "next mirrors parents");
}

/// Splits and joins name each other, and `foreach` grows and shrinks with them.
fn check_kinds(plan: &Plan) {
    for (id, step) in plan.steps.iter() {
        let name = &step.name;
        match &step.kind {
            StepKind::Linear => assert_eq!(step.next.len(), 1, "{name}"),
            StepKind::End => assert_eq!(id, plan.end, "{name}"),
            StepKind::Split { join } => {
                assert!(step.next.len() > 1, "{name}");
                assert_eq!(plan.steps[*join].kind, StepKind::Join { split: id });
            }
            StepKind::Foreach { join, .. } => {
                assert_eq!(step.next.len(), 1, "{name}");
                assert_eq!(plan.steps[*join].kind, StepKind::Join { split: id });
            }
            StepKind::Switch { cases, repeats, .. } => {
                assert!(cases.len() > 1, "{name}");
                let leads = |to: StepId| step.next.contains(&to) || (*repeats && to == id);
                assert!(cases.iter().all(|case| leads(case.target)), "{name}");
            }
            StepKind::Join { split } => {
                let opener = &plan.steps[*split];
                assert!(step.parents.len() >= opener.next.len(), "{name}");
                assert_eq!(step.foreach, opener.foreach, "{name}");
            }
        }
        let mut inside = step.foreach.clone();
        if matches!(step.kind, StepKind::Foreach { .. }) {
            inside.push(id);
        }
        for next in &step.next {
            let next = &plan.steps[*next];
            if !matches!(next.kind, StepKind::Join { .. }) {
                assert_eq!(next.foreach, inside, "{name} to {}", next.name);
            }
        }
    }
}

/// `root`: each step exactly once; a `Parallel` or `Map` stands between its split and its join; branches in the order written.
fn check_regions(plan: &Plan) {
    let mut seen = vec![0_u32; plan.steps.len()];
    let mut open: Vec<&Region> = vec![&plan.root];
    while let Some(region) = open.pop() {
        assert!(!region.nodes.is_empty(), "no region is empty");
        for (index, node) in region.nodes.iter().enumerate() {
            let (split, join, inner) = match node {
                Node::Step(id) => {
                    seen[id.index()] += 1;
                    continue;
                }
                Node::Parallel {
                    split,
                    branches,
                    join,
                } => (*split, *join, &branches[..]),
                Node::Map { split, body, join } => (*split, *join, std::slice::from_ref(body)),
            };
            let before = index.checked_sub(1).and_then(|at| region.nodes.get(at));
            assert_eq!(before, Some(&Node::Step(split)), "the split comes before");
            let after = region.nodes.get(index + 1);
            assert_eq!(after, Some(&Node::Step(join)), "the join comes after");
            let first = inner.iter().map(|branch| match branch.nodes.first() {
                Some(Node::Step(id)) => Some(*id),
                Some(Node::Parallel { .. } | Node::Map { .. }) | None => None,
            });
            let written = plan.steps[split].next.iter().copied().map(Some);
            assert!(first.eq(written), "branches stand in the order written");
            open.extend(inner);
        }
    }
    assert!(seen.iter().all(|count| *count == 1), "each step once");
}
