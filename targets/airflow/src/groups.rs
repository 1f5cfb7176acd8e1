//! Where a step's operator stands in the file: alone, mapped, or in a mapped task group.
//!
//! Airflow reads a mapped group inside a mapped group and then pairs the wrong indices, so none is ever nested.
//! The body of a foreach is mapped over index paths from the outermost foreach on, and what follows an inner foreach
//! in the same body is a group of its own, mapped over the same paths.
//! A task waits for its own index path's tasks within its group, and for *all* tasks of steps in other groups, since
//! Airflow pairs indices within one group only: a join of an inner foreach starts when all its tasks of all outer
//! tasks are done. That is more than it needs, never less.

use std::collections::HashMap;

use flowc_core::ir::plan::{Plan, PlanStep, StepId, StepKind};

/// Steps of one foreach's body that are mapped together, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The foreach split.
    pub(crate) split: StepId,
    /// How many inner foreaches, one after the other, come before it in the body.
    pub(crate) number: usize,
    /// In flow order.
    pub(crate) steps: Vec<StepId>,
}

/// All groups of a flow, in the order of their first steps.
#[derive(Debug)]
pub(crate) struct Groups {
    all: Vec<Group>,
    of: HashMap<StepId, usize>,
}

impl Groups {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut groups = Self {
            all: Vec::new(),
            of: HashMap::new(),
        };
        for (id, step) in plan.steps.iter() {
            let Some(&split) = step.foreach.last() else {
                continue;
            };
            let number = groups.number(plan, step);
            let same = |group: &Group| group.split == split && group.number == number;
            let index = groups.all.iter().position(same).unwrap_or_else(|| {
                groups.all.push(Group {
                    split,
                    number,
                    steps: Vec::new(),
                });
                groups.all.len() - 1
            });
            groups.all[index].steps.push(id);
            groups.of.insert(id, index);
        }
        groups
    }

    /// The group of a step; `None` outside any foreach.
    pub(crate) fn of(&self, step: StepId) -> Option<&Group> {
        self.of.get(&step).map(|index| &self.all[*index])
    }

    /// Whether one of both steps waits for the other's tasks of the same index path alone.
    pub(crate) fn together(&self, one: StepId, other: StepId) -> bool {
        self.of.get(&one) == self.of.get(&other)
    }

    /// Whether any group has several steps, and so is a task group.
    pub(crate) fn has_task_groups(&self) -> bool {
        self.all.iter().any(|group| group.steps.len() > 1)
    }

    /// Parents come before their steps, so theirs are known.
    fn number(&self, plan: &Plan, step: &PlanStep) -> usize {
        let known = |id: StepId| self.of(id).map_or(0, |group| group.number);
        let parents = step.parents.iter().map(|parent| {
            if plan.steps[*parent].foreach == step.foreach {
                known(*parent)
            } else {
                0
            }
        });
        let before = parents.max().unwrap_or(0);
        if let StepKind::Join { split } = step.kind
            && is_foreach(plan, split)
        {
            return before.max(known(split) + 1);
        }
        before
    }
}

/// Whether the step opens a foreach.
pub(crate) fn is_foreach(plan: &Plan, step: StepId) -> bool {
    matches!(plan.steps[step].kind, StepKind::Foreach { .. })
}
