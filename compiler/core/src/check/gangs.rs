//! Gangs: `num_parallel` leads to a step with `@parallel`, such a step is entered in no other way, and a join follows it.
//!
//! Metaflow has these rules in `metaflow/lint.py` (`check_parallel_step_after_next`,
//! `check_join_followed_by_parallel_step`, `check_parallel_foreach_calls_parallel_step`, read at 2.19.39), and that no
//! switch may run as a gang in `plugins/parallel_decorator.py`.

use super::graph::{Edge, Graph};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Decorator, FlowStepId, Gang, Step};
use crate::source::{SourceTree, Span};

/// Parts of the names of decorators that make a gang (`IS_PARALLEL` in Metaflow and its extensions).
const MEANT: &[&str] = &["parallel", "torchrun", "deepspeed", "ray", "mpi"];

/// Checks every gang, and every step that is to run as one.
pub(super) fn check(tree: &SourceTree, graph: &Graph) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if graph.flow.steps_may_be_missing() {
        return diagnostics;
    }
    for (id, step) in graph.steps() {
        if let Some(mark) = mark(step) {
            let entered = check_entrance(graph, id, mark, &mut diagnostics);
            if entered && let Some(found) = check_exit(graph, id, mark) {
                diagnostics.push(found);
            }
        }
        for edge in &graph.out[id.index()] {
            let node = &graph.flow.steps[edge.to];
            // That nothing lies between a split and its join is said by the rule about empty branches.
            if let Some(gang) = gang(step)
                && mark(node).is_none()
                && !is_meant(tree, node)
                && !graph.is_join(edge.to)
            {
                diagnostics.push(unmarked(tree, graph, gang, node));
            }
        }
    }
    diagnostics
}

fn mark(step: &Step) -> Option<&Decorator> {
    let mut decorators = step.decorators.iter();
    decorators.find(|decorator| decorator.name.value == "parallel")
}

/// Whether a decorator that makes a gang is written there although none is known: the front end has said why.
fn is_meant(tree: &SourceTree, step: &Step) -> bool {
    let decorators = tree.text(Span {
        end: step.name.span.start.max(step.span.start),
        ..step.span
    });
    MEANT.iter().any(|name| decorators.contains(name))
}

fn gang(step: &Step) -> Option<Gang> {
    step.next.as_ref().and_then(|next| next.gang)
}

/// `num_parallel` leads to a step without `@parallel`.
fn unmarked(tree: &SourceTree, graph: &Graph, gang: Gang, node: &Step) -> Diagnostic {
    let name = &node.name.value;
    let found = Diagnostic::error(
        Code::FC0127,
        format!("`{name}` is started as a gang and has no `@parallel`"),
        gang.span,
        "its tasks run at the same time",
    )
    .label(node.name.span, "needs `@parallel`");
    let mut imported = graph.flow.imported_names.iter();
    let found = if imported.any(|it| it.value == "parallel") {
        found
    } else {
        found.help("import `parallel` from `metaflow`")
    };
    let before = Span {
        end: node.span.start,
        ..node.span
    };
    let indent = " ".repeat(tree.position(before).column.saturating_sub(1) as usize);
    found.fix(
        before,
        format!("@parallel\n{indent}"),
        format!("let `{name}` run as a gang"),
    )
}

/// A step with `@parallel` is entered by `num_parallel` only; whether it is.
fn check_entrance(
    graph: &Graph,
    id: FlowStepId,
    mark: &Decorator,
    diagnostics: &mut Diagnostics,
) -> bool {
    let name = graph.name(id);
    if Some(id) == graph.start {
        let found = Diagnostic::error(
            Code::FC0129,
            format!("the start step `{name}` has `@parallel`"),
            mark.span,
            "nothing comes before it that could start a gang",
        );
        let found = found
            .label(graph.flow.steps[id].name.span, "the flow starts here")
            .help("remove `@parallel`, or add a step before it that starts the gang by `num_parallel=...`");
        diagnostics.push(found);
        return false;
    }
    let mut is_entered = true;
    for edge in &graph.into[id.index()] {
        let from = &graph.flow.steps[edge.from];
        if gang(from).is_none() {
            diagnostics.push(not_a_gang(from, edge, name, mark));
            is_entered = false;
        }
    }
    is_entered
}

fn not_a_gang(from: &Step, edge: &Edge, name: &str, mark: &Decorator) -> Diagnostic {
    let found = Diagnostic::error(
        Code::FC0129,
        format!("`{name}` has `@parallel` and is not started as a gang"),
        edge.span,
        "without `num_parallel`",
    )
    .label(mark.span, format!("`{name}` runs as a gang"));
    let Some(next) = &from.next else {
        return found;
    };
    if next.foreach.is_some() {
        return found.help("remove `@parallel` if the tasks do not talk to each other, else write `num_parallel=...` instead of `foreach`");
    }
    if next.targets.len() > 1 || next.switch.is_some() {
        return found.help(format!(
            "let this lead to a step that ends in `self.next(self.{name}, num_parallel=...)`"
        ));
    }
    let behind = Span {
        start: edge.span.end,
        ..edge.span
    };
    found.fix(behind, ", num_parallel=2", "start it as a gang of 2")
}

/// A join follows a step with `@parallel`, and nothing else.
fn check_exit(graph: &Graph, id: FlowStepId, mark: &Decorator) -> Option<Diagnostic> {
    let step = &graph.flow.steps[id];
    let name = &step.name.value;
    let runs = format!("`{name}` runs as a gang");
    let Some(next) = &step.next else {
        // What stops without a transition is the end, or reported; and a gang that reaches the end is never joined.
        return None;
    };
    if graph.is_switch(id) || graph.is_split(id) {
        let (what, where_) = if graph.is_switch(id) {
            ("a switch", "chooses here")
        } else {
            ("a split", "splits here")
        };
        let found = Diagnostic::error(
            Code::FC0128,
            format!("`{name}` runs as a gang and is {what}"),
            next.span,
            where_,
        );
        let help = "let it lead to a join, and go on from there";
        return Some(found.label(mark.span, runs).help(help));
    }
    let edge = graph.out[id.index()].first()?;
    let behind = graph.name(edge.to);
    if graph.is_join(edge.to) || Some(edge.to) == graph.end {
        // A gang that reaches the end is one that is never joined, which is another rule.
        return None;
    }
    let after = &graph.flow.steps[edge.to];
    let found = Diagnostic::error(
        Code::FC0128,
        format!("`{name}` runs as a gang and is followed by `{behind}`, which is no join"),
        edge.span,
        "must be a join",
    )
    .label(mark.span, runs);
    let [argument] = &after.arguments[..] else {
        return Some(found);
    };
    let inputs = Span {
        start: argument.span.end,
        ..argument.span
    };
    Some(found.fix(inputs, ", inputs", format!("make `{behind}` a join")))
}
