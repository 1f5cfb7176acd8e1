//! What is said of splits and joins that do not match.

use super::{Edge, Graph, NESTING_MAX};
use crate::check::prose::names;
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::FlowStepId;
use crate::source::Span;

/// Places that are labelled in one finding.
const LABELS: usize = 4;

/// The argument that makes a step a join.
fn inputs(graph: &Graph, id: FlowStepId) -> Span {
    let step = &graph.flow.steps[id];
    let second = step.arguments.get(1);
    second.map_or(step.name.span, |argument| argument.span)
}

/// What a split is called.
fn kind(graph: &Graph, split: FlowStepId) -> &'static str {
    let next = graph.flow.steps[split].next.as_ref();
    match next {
        Some(next) if next.gang.is_some() => "gang",
        Some(next) if next.foreach.is_some() => "foreach",
        _ => "split",
    }
}

pub(super) fn too_deep(graph: &Graph, id: FlowStepId) -> Diagnostic {
    let step = &graph.flow.steps[id];
    let span = step.next.as_ref().map_or(step.name.span, |next| next.span);
    Diagnostic::error(
        Code::FC0124,
        format!("splits are nested more than {NESTING_MAX} deep"),
        span,
        format!("split number {} around one step", NESTING_MAX + 1),
    )
    .help("join some of the splits first, or use one `foreach` over all combinations")
}

pub(super) fn not_a_join(graph: &Graph, id: FlowStepId, edges: &[Edge]) -> Diagnostic {
    let step = &graph.flow.steps[id];
    let name = &step.name.value;
    let mut found = Diagnostic::error(
        Code::FC0123,
        format!("`{name}` is entered from several branches and is no join"),
        step.name.span,
        "receives several branches",
    );
    for edge in edges.iter().take(LABELS) {
        let from = graph.name(edge.from);
        found = found.label(edge.span, format!("entered from `{from}`"));
    }
    let [argument] = &step.arguments[..] else {
        return found;
    };
    let behind = Span {
        start: argument.span.end,
        ..argument.span
    };
    found.fix(behind, ", inputs", format!("make `{name}` a join"))
}

pub(super) fn never_joined(
    graph: &Graph,
    end: FlowStepId,
    edge: &Edge,
    split: FlowStepId,
) -> Diagnostic {
    let (from, end) = (graph.name(edge.from), graph.name(end));
    let name = graph.name(split);
    let opened = graph.flow.steps[split].next.as_ref();
    let what = kind(graph, split);
    let code = if graph.is_foreach(split) {
        Code::FC0112
    } else {
        Code::FC0116
    };
    let last = graph.flow.steps[edge.from].next.as_ref();
    let mut found = Diagnostic::error(
        code,
        format!("{what} opened in `{name}` is never joined"),
        last.map_or(edge.span, |next| next.span),
        format!("`{end}` is reached with the {what} still open"),
    );
    if let Some(next) = opened.filter(|_| edge.from != split) {
        found = found.label(next.span, format!("{what} opened here"));
    }
    let between = if edge.from == split {
        format!("add a step for each branch, and a join step before `{end}`")
    } else {
        format!("add a join step between `{from}` and `{end}`: `def join(self, inputs):`")
    };
    found.help(between)
}

pub(super) fn no_split(graph: &Graph, id: FlowStepId, edges: &[Edge]) -> Diagnostic {
    let name = graph.name(id);
    let mut found = Diagnostic::error(
        Code::FC0118,
        format!("join `{name}` is not preceded by a split"),
        inputs(graph, id),
        "the extra argument makes it a join",
    );
    for edge in edges.iter().take(LABELS) {
        let from = graph.name(edge.from);
        found = found.label(edge.span, format!("`{from}` is in no branch"));
    }
    found.help(format!(
        "take the extra argument away (`def {name}(self):`), or split before it"
    ))
}

pub(super) fn switch_into_join(graph: &Graph, id: FlowStepId, direct: &Edge) -> Diagnostic {
    let (name, from) = (graph.name(id), graph.name(direct.from));
    Diagnostic::error(
        Code::FC0125,
        format!("the switch in `{from}` leads straight into the join `{name}`"),
        direct.span,
        "chosen only sometimes, while a join waits for all",
    )
    .label(inputs(graph, id), "the extra argument makes it a join")
    .help(format!(
        "let this case lead to a step of its own, which leads to `{name}`"
    ))
}

/// `splits` are the innermost open splits where the edges come from.
pub(super) fn unrelated(
    graph: &Graph,
    id: FlowStepId,
    edges: &[Edge],
    splits: &[Option<FlowStepId>],
) -> Diagnostic {
    let name = graph.name(id);
    let mut found = Diagnostic::error(
        Code::FC0119,
        format!("`{name}` joins branches of unrelated splits"),
        graph.flow.steps[id].name.span,
        "these branches do not belong together",
    );
    for (edge, split) in edges.iter().zip(splits).take(LABELS) {
        let from = graph.name(edge.from);
        let text = match split {
            Some(split) if graph.is_foreach(*split) => {
                let what = kind(graph, *split);
                format!("`{from}` is inside the {what} of `{}`", graph.name(*split))
            }
            Some(split) => format!("`{from}` is in a branch of `{}`", graph.name(*split)),
            None => format!("`{from}` is in no branch"),
        };
        found = found.label(edge.span, text);
    }
    found.help("close each split by a join of its own, the inner one first")
}

pub(super) fn empty_branch(
    graph: &Graph,
    id: FlowStepId,
    split: FlowStepId,
    direct: &Edge,
) -> Diagnostic {
    let step = &graph.flow.steps[id];
    let (name, from) = (&step.name.value, graph.name(split));
    let what = kind(graph, split);
    let found = Diagnostic::error(
        Code::FC0120,
        format!("the {what} in `{from}` leads straight into the join `{name}`"),
        direct.span,
        "there is no step to run in this branch",
    );
    found
        .label(inputs(graph, id), "the extra argument makes it a join")
        .help(format!(
            "add at least one step between `{from}` and `{name}`"
        ))
}

pub(super) fn missing(
    graph: &Graph,
    id: FlowStepId,
    split: FlowStepId,
    arrives: &[bool],
) -> Diagnostic {
    let step = &graph.flow.steps[id];
    let (name, from) = (&step.name.value, graph.name(split));
    let targets = graph.flow.steps[split]
        .next
        .as_ref()
        .map_or(&[][..], |next| &next.targets[..]);
    let missing: Vec<_> = targets
        .iter()
        .zip(arrives)
        .filter(|(_, arrives)| !**arrives)
        .map(|(target, _)| target)
        .collect();
    let list = names(missing.iter().map(|target| target.value.as_str()));
    let branch = if missing.len() == 1 {
        "branch"
    } else {
        "branches"
    };
    let mut found = Diagnostic::error(
        Code::FC0117,
        format!("join `{name}` misses {branch} {list} of the split in `{from}`"),
        step.name.span,
        format!(
            "receives {} of {} branches",
            arrives.len() - missing.len(),
            arrives.len()
        ),
    );
    for target in missing.iter().take(LABELS) {
        found = found.label(
            target.span,
            format!(
                "the branch of `{}` does not lead into `{name}`",
                target.value
            ),
        );
    }
    found.help(format!(
        "let the last step of {branch} {list} lead to `{name}`: `self.next(self.{name})`"
    ))
}
