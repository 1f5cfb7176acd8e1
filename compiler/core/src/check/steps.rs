//! Rules that concern one step at a time: its name, its arguments, whether it ends with a transition.

use super::graph::{END, Graph, START};
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{FlowStepId, Step};
use crate::source::{SourceTree, Span};

/// Names that Metaflow uses itself as attributes of a flow (metaflow/lint.py, `check_reserved_words`, read at 2.19.38).
const RESERVED: [&str; 5] = ["name", "next", "input", "index", "cmd"];

/// Checks every step by itself, and that there are a first and a last one.
pub(super) fn check(tree: &SourceTree, graph: &Graph) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let mut renamed = Vec::new();
    check_ends(graph, &mut renamed, &mut diagnostics);
    for (_, step) in graph.steps() {
        if !renamed.contains(&step.name.span) {
            diagnostics.extend(check_name(step));
        }
    }
    for (id, step) in graph.steps() {
        diagnostics.extend(check_arguments(tree, graph, id, step));
    }
    diagnostics
}

fn check_name(step: &Step) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let name = step.name.value.as_str();
    if RESERVED.contains(&name) {
        diagnostics.push(
            Diagnostic::error(
                Code::FC0101,
                format!("`{name}` is a reserved word"),
                step.name.span,
                "cannot be the name of a step",
            )
            .note(format!("reserved: {}", RESERVED.join(", ")))
            .help(format!("choose another name, such as `{name}_step`")),
        );
    }
    let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with('_') || !name.chars().all(is_legal) {
        let mut found = Diagnostic::error(
            Code::FC0104,
            format!("invalid step name `{name}`"),
            step.name.span,
            if name.starts_with('_') {
                "starts with an underscore"
            } else {
                "only `a` to `z`, digits and underscores are allowed"
            },
        );
        let better = legal_name(name);
        if !better.is_empty() {
            found = found.help(format!("rename the step to `{better}`"));
        }
        diagnostics.push(found);
    }
    diagnostics
}

/// `trainModel` becomes `train_model`.
fn legal_name(name: &str) -> String {
    let mut better = String::with_capacity(name.len() + 4);
    let mut before_is_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && before_is_lower {
            better.push('_');
        }
        before_is_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        let lower = c.to_ascii_lowercase();
        better.push(if lower.is_ascii_alphanumeric() {
            lower
        } else {
            '_'
        });
    }
    better.trim_matches('_').to_owned()
}

fn check_arguments(tree: &SourceTree, graph: &Graph, id: FlowStepId, step: &Step) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let name = &step.name.value;
    let arguments = &step.arguments;
    match (arguments.first(), arguments.get(1), arguments.get(2)) {
        (None, ..) => diagnostics.push(no_self(tree, step)),
        (_, _, Some(third)) => {
            let last = arguments.last().unwrap_or(third);
            let span = Span {
                end: last.span.end,
                ..third.span
            };
            diagnostics.push(
                Diagnostic::error(
                    Code::FC0105,
                    format!("step `{name}` has too many arguments"),
                    span,
                    "nothing is passed here",
                )
                .help("a step takes `self`, a join step takes `self` and `inputs`; keep other values in artifacts (`self.x = …`)"),
            );
        }
        (_, Some(inputs), None) => {
            if Some(id) == graph.end {
                diagnostics.push(
                    Diagnostic::error(
                        Code::FC0110,
                        format!("the end step `{name}` is a join"),
                        inputs.span,
                        "the extra argument makes it a join",
                    )
                    .help(format!(
                        "add a join step before `{name}`, and let `{name}` take `self` only"
                    )),
                );
            } else if Some(id) == graph.start {
                diagnostics.push(
                    Diagnostic::error(
                        Code::FC0122,
                        format!("the start step `{name}` is a join"),
                        inputs.span,
                        "the extra argument makes it a join",
                    )
                    .help("nothing comes before the start: let it take `self` only"),
                );
            } else if let Some(next) = step
                .next
                .as_ref()
                .filter(|_| graph.is_split(id) || graph.is_switch(id))
            {
                diagnostics.push(
                    Diagnostic::error(
                        Code::FC0107,
                        format!("step `{name}` is both a join and a split"),
                        next.span,
                        if graph.is_switch(id) {
                            "chooses here"
                        } else {
                            "splits here"
                        },
                    )
                    .label(inputs.span, "the extra argument makes it a join")
                    .help(format!(
                        "let `{name}` lead to a new step, and {} there",
                        if graph.is_switch(id) {
                            "choose"
                        } else {
                            "split"
                        }
                    )),
                );
            }
        }
        (Some(_), None, None) => {}
    }
    diagnostics
}

fn no_self(tree: &SourceTree, step: &Step) -> Diagnostic {
    let name = &step.name.value;
    let found = Diagnostic::error(
        Code::FC0106,
        format!("step `{name}` is missing the `self` argument"),
        step.name.span,
        "takes no argument",
    );
    let behind = Span {
        start: step.name.span.end,
        end: step.span.end.max(step.name.span.end),
        ..step.name.span
    };
    if !tree.text(behind).starts_with('(') {
        return found.help(format!("write `def {name}(self):`"));
    }
    let inside = Span {
        start: behind.start + 1,
        end: behind.start + 1,
        ..behind
    };
    let text = if tree.text(behind).starts_with("()") {
        "self"
    } else {
        "self, "
    };
    found.fix(inside, text, "add `self`")
}

/// At most one step is marked as the first or the last, and none competes with it by its name; the name of a step
/// called `end` that does.
fn check_marks(graph: &Graph, diagnostics: &mut Diagnostics) -> Option<Span> {
    let mut called_end = None;
    for word in [START, END] {
        let mark = |step: &Step| match word {
            START => step.marks.start,
            _ => step.marks.end,
        };
        let marked: Vec<(&Step, Span)> = graph
            .steps()
            .filter_map(|(_, step)| Some((step, mark(step)?)))
            .collect();
        let Some((first, span)) = marked.first() else {
            continue;
        };
        if let Some((second, again)) = marked.get(1) {
            diagnostics.push(
                Diagnostic::error(
                    Code::FC0126,
                    format!("several steps are marked as the {word}"),
                    *again,
                    format!("`{}` as well", second.name.value),
                )
                .label(*span, format!("`{}` is marked here", first.name.value))
                .help(format!("a flow has one {word}: remove one of the marks")),
            );
        }
        let named = graph.steps().find(|(_, step)| step.name.value == word);
        if let Some((_, step)) = named.filter(|(_, step)| mark(step).is_none()) {
            if word == END {
                called_end = Some(step.name.span);
            }
            diagnostics.push(
                Diagnostic::error(
                    Code::FC0126,
                    format!(
                        "`{}` is marked as the {word}, and another step is called `{word}`",
                        first.name.value
                    ),
                    *span,
                    format!("marked as the {word}"),
                )
                .label(step.name.span, format!("called `{word}`"))
                .help(format!(
                    "remove the mark, or call the other step something else than `{word}`"
                )),
            );
        }
    }
    called_end
}

/// A first step, a last step, and a transition at the end of all others; notes which names are to be changed in any case.
fn check_ends(graph: &Graph, renamed: &mut Vec<Span>, diagnostics: &mut Diagnostics) {
    if graph.flow.steps_may_be_missing() {
        return;
    }
    let marked_and_named = check_marks(graph, diagnostics);
    let flow = &graph.flow.name;
    let names = || graph.steps().map(|(_, step)| step.name.value.as_str());
    let located = |name: &str| {
        let found = graph.steps().find(|(_, step)| step.name.value == name);
        found.map(|(_, step)| step.name.span)
    };
    if graph.flow.steps.is_empty() {
        diagnostics.push(
            Diagnostic::error(
                Code::FC0102,
                format!("flow `{}` has no steps", flow.value),
                flow.span,
                "no method has `@step`",
            )
            .help("add a step `start` that leads to a step `end`"),
        );
        return;
    }
    if graph.start.is_none() {
        let mut found = Diagnostic::error(
            Code::FC0102,
            format!("flow `{}` has no start step", flow.value),
            flow.span,
            "no step is called `start`",
        )
        .help("name the first step `start`");
        if let Some(span) = closest(START, names()).and_then(located) {
            renamed.push(span);
            found =
                found
                    .label(span, "is this the start?")
                    .fix(span, START, "rename it to `start`");
        }
        diagnostics.push(found);
    }
    let mut last: Vec<&Step> = graph
        .steps()
        .filter(|(id, _)| Some(*id) != graph.end)
        .map(|(_, step)| step)
        .filter(|step| step.next.is_none() && !step.next_unread)
        .filter(|step| Some(step.name.span) != marked_and_named)
        .collect();
    if graph.end.is_none() {
        let mut found = Diagnostic::error(
            Code::FC0103,
            format!("flow `{}` has no end step", flow.value),
            flow.span,
            "no step is called `end`",
        )
        .help("name the last step `end`");
        if let [step] = last[..] {
            // The step that stops without a transition is the end, under another name.
            let span = step.name.span;
            renamed.push(span);
            found = found
                .label(span, "the flow stops here")
                .fix(span, END, "rename it to `end`");
            last.clear();
        }
        diagnostics.push(found);
    }
    for step in last {
        let name = &step.name.value;
        diagnostics.push(
            Diagnostic::error(
                Code::FC0108,
                format!("step `{name}` has no transition to a next step"),
                step.last_statement,
                "the last statement is not `self.next(...)`",
            )
            .label(step.name.span, "in this step")
            .help("end the step with `self.next(self.<step>)`"),
        );
    }
}
