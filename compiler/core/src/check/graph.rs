//! The author's transitions with their names resolved, as far as they can be.
//!
//! Mistakes are mended where the intention is clear (a misspelt target leads to the step that was meant), so that one mistake is one finding.

use std::collections::HashMap;

use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Flow, FlowStepId, Step};
use crate::source::{SourceTree, Span};

/// Name of the step at which every flow starts.
pub(crate) const START: &str = "start";
/// Name of the step at which every flow ends.
pub(crate) const END: &str = "end";

/// Unknown targets for which a similar name is looked for; each search takes as long as there are steps.
const SEARCHES_MAX: usize = 50;

/// A transition from one step to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    /// The step that names the other.
    pub(crate) from: FlowStepId,
    /// The step that is named.
    pub(crate) to: FlowStepId,
    /// Position among the targets as written.
    pub(crate) branch: usize,
    /// Where the target is named.
    pub(crate) span: Span,
}

/// Steps and transitions; lists are indexed by the step's position in the arena.
pub(crate) struct Graph<'f> {
    /// The flow itself.
    pub(crate) flow: &'f Flow,
    /// The step marked as the start, else the one called `start`, else the only one.
    pub(crate) start: Option<FlowStepId>,
    /// The step marked as the end, else the one called `end`, else the only one.
    pub(crate) end: Option<FlowStepId>,
    /// Transitions out of a step, in the order written.
    pub(crate) out: Vec<Vec<Edge>>,
    /// Transitions into a step, ordered by the step that they come from.
    pub(crate) into: Vec<Vec<Edge>>,
    /// Steps whose switch may choose the step itself again; that is no transition in `out` and `into`.
    pub(crate) repeats: Vec<bool>,
    /// Steps with a transition that leads nowhere we know of; it is reported, and what would follow from it is not.
    pub(crate) broken: Vec<bool>,
    /// Earlier definitions of a name that is defined again: Python forgets them, the front end reports them.
    shadowed: Vec<bool>,
    /// Searches for similar names so far.
    searches: usize,
}

impl<'f> Graph<'f> {
    /// Resolves all transitions and reports those that cannot be.
    pub(crate) fn new(tree: &SourceTree, flow: &'f Flow) -> (Self, Diagnostics) {
        let count = flow.steps.len();
        let mut names: HashMap<&str, FlowStepId> = HashMap::with_capacity(count);
        let mut shadowed = vec![false; count];
        for (id, step) in flow.steps.iter() {
            if let Some(earlier) = names.insert(&step.name.value, id) {
                shadowed[earlier.index()] = true;
            }
        }
        let only = match names.len() {
            1 => names
                .values()
                .copied()
                .find(|id| flow.steps[*id].next.is_none() && !flow.steps[*id].next_unread),
            _ => None,
        };
        let marked = |is_marked: fn(&Step) -> bool| {
            let marked = flow.steps.iter().filter(|(id, _)| !shadowed[id.index()]);
            let mut marked = marked.filter(|(_, step)| is_marked(step));
            marked.next().map(|(id, _)| id)
        };
        let start = marked(|step| step.marks.start.is_some());
        let end = marked(|step| step.marks.end.is_some());
        let mut graph = Self {
            flow,
            start: start.or(only).or_else(|| names.get(START).copied()),
            end: end.or(only).or_else(|| names.get(END).copied()),
            repeats: vec![false; count],
            out: vec![Vec::new(); count],
            into: vec![Vec::new(); count],
            broken: vec![false; count],
            shadowed,
            searches: 0,
        };
        let mut diagnostics = Diagnostics::default();
        for (id, _) in flow.steps.iter() {
            if !graph.shadowed[id.index()] {
                graph.resolve(tree, id, &names, &mut diagnostics);
            }
        }
        (graph, diagnostics)
    }

    /// All steps that Python sees, in source order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (FlowStepId, &'f Step)> + '_ {
        self.flow
            .steps
            .iter()
            .filter(|(id, _)| !self.shadowed[id.index()])
    }

    /// Name of a step.
    pub(crate) fn name(&self, id: FlowStepId) -> &'f str {
        &self.flow.steps[id].name.value
    }

    /// Whether a step receives the branches of a split: it has an argument besides `self`.
    ///
    /// With more than one, which is an error of its own, only the usual name tells.
    pub(crate) fn is_join(&self, id: FlowStepId) -> bool {
        match &self.flow.steps[id].arguments[..] {
            [] | [_] => false,
            [_, _] => true,
            [_, second, ..] => second.value == "inputs",
        }
    }

    /// Whether a step opens branches: static ones or a foreach.
    pub(crate) fn is_split(&self, id: FlowStepId) -> bool {
        let next = self.flow.steps[id].next.as_ref();
        Some(id) != self.end
            && next.is_some_and(|next| {
                next.foreach.is_some() || (next.targets.len() > 1 && next.switch.is_none())
            })
    }

    /// Whether a step decides which one follows it.
    pub(crate) fn is_switch(&self, id: FlowStepId) -> bool {
        let next = self.flow.steps[id].next.as_ref();
        Some(id) != self.end && next.is_some_and(|next| next.switch.is_some())
    }

    /// Whether a step opens a foreach.
    pub(crate) fn is_foreach(&self, id: FlowStepId) -> bool {
        let next = self.flow.steps[id].next.as_ref();
        next.is_some_and(|next| next.foreach.is_some())
    }

    fn resolve(
        &mut self,
        tree: &SourceTree,
        from: FlowStepId,
        names: &HashMap<&'f str, FlowStepId>,
        diagnostics: &mut Diagnostics,
    ) {
        let step = &self.flow.steps[from];
        let is_end = Some(from) == self.end;
        self.broken[from.index()] = step.next_unread || (step.next.is_none() && !is_end);
        let Some(next) = &step.next else { return };
        if is_end {
            diagnostics.push(end_has_transition(tree, step, next.span));
            // What it leads to is not judged.
            self.broken[from.index()] = true;
            return;
        }
        let mut seen: HashMap<&str, Span> = HashMap::with_capacity(next.targets.len());
        for (branch, target) in next.targets.iter().enumerate() {
            let name = target.value.as_str();
            if let Some(first) = seen.insert(name, target.span) {
                diagnostics.push(
                    Diagnostic::error(
                        Code::FC0121,
                        format!("`{name}` is named twice in one transition"),
                        target.span,
                        format!("`{name}` again"),
                    )
                    .label(first, "first named here")
                    .help("give each branch a step of its own, or use `foreach` to run one step several times"),
                );
                self.broken[from.index()] = true;
                continue;
            }
            let known = names.get(name).copied();
            let to = known.or_else(|| {
                let meant = self.unknown(from, branch, names, diagnostics)?;
                let already = next.targets.iter().any(|other| other.value == meant);
                let meant = names.get(meant).copied().filter(|_| !already)?;
                let edges = &self.out[from.index()];
                let is_new = edges.iter().all(|edge| edge.to != meant);
                is_new.then_some(meant)
            });
            let Some(to) = to else {
                self.broken[from.index()] = true;
                continue;
            };
            if to == from && next.switch.is_some() && Some(from) != self.start {
                self.repeats[from.index()] = true;
                continue;
            }
            if Some(to) == self.start {
                diagnostics.push(start_is_entered(&self.flow.steps[to], step, target.span));
                self.broken[from.index()] = true;
                continue;
            }
            let edge = Edge {
                from,
                to,
                branch,
                span: target.span,
            };
            self.out[from.index()].push(edge);
            self.into[to.index()].push(edge);
        }
    }

    /// Reports a target that is no step and returns the step that was probably meant.
    fn unknown(
        &mut self,
        from: FlowStepId,
        branch: usize,
        names: &HashMap<&'f str, FlowStepId>,
        diagnostics: &mut Diagnostics,
    ) -> Option<&'f str> {
        let target = &self.flow.steps[from].next.as_ref()?.targets[branch];
        let name = target.value.as_str();
        // That there is no end step is said once, where the flow is named.
        let is_said = self.end.is_none() && name == END;
        if self.flow.steps_may_be_missing() || is_said {
            return None;
        }
        self.searches += 1;
        let steps = self.steps().map(|(_, step)| step.name.value.as_str());
        let meant = match self.searches {
            ..=SEARCHES_MAX => closest(name, steps.filter(|known| *known != START)),
            _ => None,
        };
        let mut found = Diagnostic::error(
            Code::FC0113,
            format!("transition to unknown step `{name}`"),
            target.span,
            format!("unknown step `{name}`"),
        );
        found = match meant {
            Some(meant) => {
                let step = &self.flow.steps[*names.get(meant)?];
                found
                    .label(step.name.span, format!("`{meant}` is defined here"))
                    .fix(
                        target.span,
                        format!("self.{meant}"),
                        format!("did you mean `{meant}`?"),
                    )
            }
            None => found.help(format!(
                "define a method `{name}` with `@step`, or name one of the flow's steps"
            )),
        };
        diagnostics.push(found);
        meant
    }
}

fn end_has_transition(tree: &SourceTree, step: &Step, next: Span) -> Diagnostic {
    let name = &step.name.value;
    let found = Diagnostic::error(
        Code::FC0109,
        format!("the end step `{name}` has a transition"),
        next,
        "nothing can follow the end",
    )
    .label(step.name.span, "the flow ends here");
    // A body that holds nothing else would be empty without it.
    if tree.text(next).contains('\n') || !is_alone(tree, step, next) {
        return found.fix(next, "", "remove the transition");
    }
    found.fix(next, "pass", "remove the transition")
}

/// Whether the transition is all that the step's body holds.
fn is_alone(tree: &SourceTree, step: &Step, next: Span) -> bool {
    let before = Span {
        start: step.name.span.end.min(next.start),
        end: next.start,
        ..next
    };
    tree.text(before).trim_end().ends_with(':')
}

fn start_is_entered(start: &Step, from: &Step, span: Span) -> Diagnostic {
    let (start_name, name) = (&start.name.value, &from.name.value);
    Diagnostic::error(
        Code::FC0111,
        format!("`{name}` leads back into the start step `{start_name}`"),
        span,
        "the start step cannot be entered again",
    )
    .label(start.name.span, "the flow starts here")
    .help("move what is to be repeated into a step of its own")
}
