//! The dependencies of the file's end: `start >> [a, b] >> join >> end`, each edge once.

use std::collections::HashSet;

use flowc_core::ir::plan::{Plan, StepId};
use indexmap::IndexMap;

use crate::groups::is_foreach;
use crate::layout::{WIDTH, columns};
use crate::names::variable;

/// The dependencies that the file writes down; those of a foreach's body on its index paths are there by its `expand`.
pub(crate) struct Edges {
    successors: IndexMap<StepId, Vec<StepId>>,
}

impl Edges {
    pub(crate) fn new(plan: &Plan) -> Self {
        let written = |(id, _): &(StepId, _)| !is_foreach(plan, *id);
        let steps = plan.steps.iter().filter(written);
        Self {
            successors: steps.map(|(id, step)| (id, step.next.clone())).collect(),
        }
    }

    /// Whether a dependency leads from the step out of a part of the flow, or to it from outside.
    pub(crate) fn cross(&self, step: StepId, inside: impl Fn(StepId) -> bool) -> bool {
        let leads = |(from, next): (&StepId, &Vec<StepId>)| {
            if *from == step {
                next.iter().any(|to| !inside(*to))
            } else {
                !inside(*from) && next.contains(&step)
            }
        };
        self.successors.iter().any(leads)
    }

    /// Those for which `wanted` is true of their two ends, in flow order, each once.
    pub(crate) fn lines(
        &self,
        plan: &Plan,
        wanted: impl Fn(StepId, StepId) -> bool,
        indent: usize,
    ) -> Vec<String> {
        let wanted = |(from, next): (&StepId, &Vec<StepId>)| {
            let next = next.iter().filter(|to| wanted(*from, **to));
            (*from, next.copied().collect::<Vec<_>>())
        };
        let mut writer = Writer {
            plan,
            successors: self.successors.iter().map(wanted).collect(),
            written: HashSet::new(),
            indent: " ".repeat(indent),
            lines: Vec::new(),
        };
        for step in self.successors.keys() {
            writer.chain(*step);
        }
        writer.lines
    }
}

struct Writer<'a> {
    plan: &'a Plan,
    successors: IndexMap<StepId, Vec<StepId>>,
    /// Steps whose dependencies are on a line.
    written: HashSet<StepId>,
    indent: String,
    lines: Vec<String>,
}

impl Writer<'_> {
    /// Writes the edges from `first` on, as far as they lead through edges not yet written.
    fn chain(&mut self, first: StepId) {
        let mut line = vec![self.name(first)];
        let mut here = first;
        while let Some(next) = self.take(here) {
            if let [only] = next[..] {
                line = self.extend(line, self.name(only));
                here = only;
                continue;
            }
            let names: Vec<_> = next.iter().map(|step| self.name(*step)).collect();
            line = self.extend(line, format!("[{}]", names.join(", ")));
            let Some(join) = self.meet(&next) else {
                break;
            };
            self.written.extend(next);
            line = self.extend(line, self.name(join));
            here = join;
        }
        self.flush(&line);
    }

    /// The successors of a step if their edges are not written yet; they count as written from now on.
    fn take(&mut self, step: StepId) -> Option<Vec<StepId>> {
        let next = self.successors.get(&step)?;
        if next.is_empty() || !self.written.insert(step) {
            return None;
        }
        Some(next.clone())
    }

    /// The step to which each of `steps` leads, and nothing else, by an edge not yet written.
    fn meet(&self, steps: &[StepId]) -> Option<StepId> {
        let only = |step: &StepId| match self.successors.get(step).map(Vec::as_slice) {
            Some([next]) if !self.written.contains(step) => Some(*next),
            _ => None,
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
}
