//! The dependencies of the file's end: `start >> [a, b] >> join >> end`, each edge once.

use std::collections::HashSet;

use flowc_core::ir::plan::{Plan, StepId, StepKind};
use indexmap::IndexMap;

use crate::layout::{WIDTH, columns};
use crate::names::{body_function, variable};

/// What stands on one side of `>>`: a step, or the body of a foreach as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    Step(StepId),
    /// The mapped task group of this split.
    Body(StepId),
}

/// The dependencies among `steps`, which lie in the same foreach (or outside any), in flow order.
/// `bodies`: splits whose body is a task group, defined in the same scope.
pub(crate) fn dependencies(
    plan: &Plan,
    steps: &[StepId],
    bodies: &IndexMap<StepId, Vec<StepId>>,
    indent: usize,
) -> Vec<String> {
    let mut writer = Writer {
        plan,
        successors: successors(plan, steps, bodies),
        written: HashSet::new(),
        indent: " ".repeat(indent),
        lines: Vec::new(),
    };
    let ends: Vec<End> = writer.successors.keys().copied().collect();
    for end in ends {
        writer.chain(end);
    }
    writer.lines
}

/// The edges that the file writes down; those into a mapped operator or group are there by its `expand`.
fn successors(
    plan: &Plan,
    steps: &[StepId],
    bodies: &IndexMap<StepId, Vec<StepId>>,
) -> IndexMap<End, Vec<StepId>> {
    let mut successors = IndexMap::new();
    for &id in steps {
        let step = &plan.steps[id];
        let depth = step.foreach.len();
        let StepKind::Foreach { join, .. } = step.kind else {
            let same_scope = |next: &&StepId| plan.steps[**next].foreach.len() == depth;
            let next: Vec<_> = step.next.iter().filter(same_scope).copied().collect();
            // The last step of a body leads to the join outside of it, from a group by the group as a whole.
            successors.insert(End::Step(id), next);
            continue;
        };
        if bodies.contains_key(&id) {
            successors.insert(End::Body(id), vec![join]);
        } else if let Some(&body) = step.next.first() {
            successors.insert(End::Step(body), vec![join]);
        }
    }
    successors
}

struct Writer<'a> {
    plan: &'a Plan,
    successors: IndexMap<End, Vec<StepId>>,
    written: HashSet<End>,
    indent: String,
    lines: Vec<String>,
}

impl Writer<'_> {
    /// Writes the edges from `first` on, as far as they lead through edges not yet written.
    fn chain(&mut self, first: End) {
        let mut line = vec![self.end(first)];
        let mut here = first;
        while let Some(next) = self.take(here) {
            if let [only] = next[..] {
                line = self.extend(line, self.name(only));
                here = End::Step(only);
                continue;
            }
            let names: Vec<_> = next.iter().map(|step| self.name(*step)).collect();
            line = self.extend(line, format!("[{}]", names.join(", ")));
            let Some(join) = self.meet(&next) else {
                break;
            };
            for step in &next {
                self.written.insert(End::Step(*step));
            }
            line = self.extend(line, self.name(join));
            here = End::Step(join);
        }
        self.flush(&line);
    }

    /// The successors of `end` if their edges are not written yet; they count as written from now on.
    fn take(&mut self, end: End) -> Option<Vec<StepId>> {
        let next = self.successors.get(&end)?;
        if next.is_empty() || !self.written.insert(end) {
            return None;
        }
        Some(next.clone())
    }

    /// The step to which each of `steps` leads, and nothing else, by an edge not yet written.
    fn meet(&self, steps: &[StepId]) -> Option<StepId> {
        let only = |step: &StepId| {
            let end = End::Step(*step);
            match self.successors.get(&end).map(Vec::as_slice) {
                Some([next]) if !self.written.contains(&end) => Some(*next),
                _ => None,
            }
        };
        let first = only(steps.first()?)?;
        steps
            .iter()
            .all(|step| only(step) == Some(first))
            .then_some(first)
    }

    /// Adds a part to the line, or writes the line and starts a new one where this would be too long.
    fn extend(&mut self, mut line: Vec<String>, part: String) -> Vec<String> {
        let length = |line: &[String]| columns(&self.indent) + columns(&line.join(" >> "));
        let last = line.last().cloned();
        line.push(part);
        if line.len() > 2 && length(&line) > WIDTH {
            let part = line.pop().unwrap_or_default();
            self.flush(&line);
            return last.into_iter().chain([part]).collect();
        }
        line
    }

    /// Writes one line, or several where even two parts are too long for one.
    fn flush(&mut self, line: &[String]) {
        if line.len() < 2 {
            return;
        }
        let indent = &self.indent;
        let flat = format!("{indent}{}", line.join(" >> "));
        if columns(&flat) <= WIDTH {
            self.lines.push(flat);
            return;
        }
        let one_per_line = |list: &str| {
            let inner = list.trim_start_matches('[').trim_end_matches(']');
            let items = inner
                .split(", ")
                .map(|item| format!("{indent}    {item},\n"));
            format!("[\n{}{indent}]", items.collect::<String>())
        };
        match line {
            [from, to] if to.starts_with('[') => {
                self.lines
                    .push(format!("{indent}{from} >> {}", one_per_line(to)));
            }
            [from, to] if from.starts_with('[') => {
                self.lines
                    .push(format!("{indent}{} >> {to}", one_per_line(from)));
            }
            _ => {
                let parts = line.join(&format!("\n{indent}    >> "));
                self.lines
                    .push(format!("{indent}(\n{indent}    {parts}\n{indent})"));
            }
        }
    }

    fn name(&self, step: StepId) -> String {
        variable(&self.plan.steps[step].name)
    }

    fn end(&self, end: End) -> String {
        match end {
            End::Step(step) => self.name(step),
            End::Body(split) => format!(
                "{}.expand(index={}.output)",
                body_function(self.plan, split),
                self.name(split)
            ),
        }
    }
}
