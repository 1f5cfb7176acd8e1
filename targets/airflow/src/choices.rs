//! Which steps run, as the switches before them chose.
//!
//! No branch operator is used: in mapped task groups of Airflow 3.2 and 3.3 they run every branch.
//! A switch returns the name of the step that it chose, and a step looks, before it has a pod, whether it is to run:
//! `when={"choose": ["left"]}`. A step with one parent that is no switch need not look: Airflow skips it with its parent.
//! All switches that decide about a step lie in the same foreach, so that their tasks have the same index in Airflow.

use std::collections::{BTreeMap, BTreeSet};

use flowc_core::ir::plan::{Plan, StepId, StepKind};

use crate::groups::{Groups, is_foreach};

/// For switches the choices after which a step runs; it runs after any of them.
pub(crate) type When = BTreeMap<StepId, BTreeSet<StepId>>;

/// What each step runs after, within the foreach around it.
pub(crate) struct Choices {
    /// In the order of the steps. `None`: it runs for every element.
    when: Vec<Option<When>>,
    /// Of the last block of a foreach some tasks may have no element: they are skipped.
    has_blocks: bool,
}

impl Choices {
    pub(crate) fn new(plan: &Plan, has_blocks: bool) -> Self {
        let mut choices = Self {
            when: Vec::with_capacity(plan.steps.len()),
            has_blocks,
        };
        // Parents come before their steps.
        for id in plan.steps.handles() {
            let when = choices.of_step(plan, id);
            choices.when.push(when);
        }
        choices
    }

    /// Whether switches decide about the step.
    pub(crate) fn decide(&self, id: StepId) -> bool {
        self.when[id.index()].is_some()
    }

    /// What the operator of a step looks at; `None` where Airflow's trigger rule says enough.
    pub(crate) fn looked_at(&self, plan: &Plan, groups: &Groups, id: StepId) -> Option<&When> {
        let mut parents = plan.steps[id].parents.iter();
        let looks = parents.any(|parent| plan.steps[*parent].is_switch())
            || self.survives_skips(plan, groups, id);
        self.when[id.index()].as_ref().filter(|_| looks)
    }

    /// Whether a step may run though tasks before it were skipped: Airflow's trigger rule `none_failed`.
    ///
    /// A foreach over nothing leaves its body skipped, and its join runs all the same.
    /// Of the steps that lead to a merge all but one are skipped.
    /// Of a step in another group all tasks are waited for, and some of them may be skipped.
    pub(crate) fn survives_skips(&self, plan: &Plan, groups: &Groups, id: StepId) -> bool {
        let step = &plan.steps[id];
        if matches!(step.kind, StepKind::Join { split } if is_foreach(plan, split)) {
            return true;
        }
        let own = &self.when[id.index()];
        let may_be_skipped = |parent: &StepId| {
            self.of_edge(plan, *parent, id) != *own
                || (own.is_some() || self.has_blocks) && !groups.together(*parent, id)
        };
        step.parents.len() > 1 && step.parents.iter().any(may_be_skipped)
    }

    fn of_step(&self, plan: &Plan, id: StepId) -> Option<When> {
        let step = &plan.steps[id];
        if let StepKind::Join { split } = step.kind {
            return self.when[split.index()].clone();
        }
        let opens_body = step.parents.first() == step.foreach.last();
        if opens_body {
            // Also where there is neither: the first step of the flow.
            return None;
        }
        let mut when = When::new();
        for parent in &step.parents {
            merge(&mut when, self.of_edge(plan, *parent, id)?);
        }
        self.reduced(plan, when)
    }

    /// After which choices the flow goes from a step to one of its successors in the same foreach.
    fn of_edge(&self, plan: &Plan, from: StepId, to: StepId) -> Option<When> {
        if !plan.steps[from].is_switch() {
            return self.when[from.index()].clone();
        }
        self.reduced(plan, When::from([(from, BTreeSet::from([to]))]))
    }

    /// Says "after this switch" instead of "after any of its choices".
    fn reduced(&self, plan: &Plan, mut when: When) -> Option<When> {
        let all_of = |(switch, chosen): (&StepId, &BTreeSet<StepId>)| {
            let next = &plan.steps[*switch].next;
            next.iter()
                .all(|next| chosen.contains(next))
                .then_some(*switch)
        };
        while let Some(switch) = when.iter().find_map(all_of) {
            when.remove(&switch);
            merge(&mut when, self.when[switch.index()].clone()?);
        }
        Some(when)
    }
}

fn merge(into: &mut When, more: When) {
    for (switch, chosen) in more {
        into.entry(switch).or_default().extend(chosen);
    }
}
