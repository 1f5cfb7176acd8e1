//! Methods that are steps.

use ruff_python_ast::{Decorator as Node, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::decorators::{self, Place};
use super::docstring::docstring;
use super::known;
use super::lower::Context;
use super::names::{Meaning, Names};
use super::transition;
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::{Marks, Spanned, Step};

/// What a decorator says about being a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// It is Metaflow's `step`.
    Step,
    /// It is called `step`, or nearly so, but does not come from Metaflow.
    Resembles,
    /// It is a decorator that Metaflow puts on steps.
    OnSteps,
    /// Anything else.
    Other,
}

fn mark(names: &Names<'_>, node: &Node) -> Mark {
    let (path, _) = decorators::parts(node);
    match names.resolve(path) {
        Meaning::Metaflow(path) if path == "step" => Mark::Step,
        Meaning::Metaflow(path) => {
            let on_steps = known::supported_decorator(&path).is_some()
                || known::without_effect(&path).is_some()
                || known::not_yet(&path).is_some();
            if on_steps { Mark::OnSteps } else { Mark::Other }
        }
        Meaning::Foreign(path) if path.rsplit('.').next() == Some("step") => Mark::Resembles,
        Meaning::Unbound("step") => Mark::Resembles,
        Meaning::Unbound(name) if closest(name, std::iter::once("step")).is_some() => {
            Mark::Resembles
        }
        Meaning::Foreign(_)
        | Meaning::Class(_)
        | Meaning::Function
        | Meaning::Value
        | Meaning::Bound
        | Meaning::Unbound(_)
        | Meaning::Expression => Mark::Other,
    }
}

/// Whether a class body holds a step.
pub(super) fn any_in(names: &Names<'_>, class: &StmtClassDef) -> bool {
    class
        .body
        .iter()
        .filter_map(Stmt::as_function_def_stmt)
        .any(|method| is_marked(names, method))
}

fn is_marked(names: &Names<'_>, method: &StmtFunctionDef) -> bool {
    let decorators = &method.decorator_list;
    decorators
        .iter()
        .any(|node| mark(names, node) == Mark::Step)
}

/// Whether the method is a step, or was clearly meant to be one; the latter is reported.
pub(super) fn is_step(context: &mut Context<'_>, method: &StmtFunctionDef) -> bool {
    let marks: Vec<(Mark, &Node)> = method
        .decorator_list
        .iter()
        .map(|node| (mark(context.names, node), node))
        .collect();
    if marks.iter().any(|(mark, _)| *mark == Mark::Step) {
        return true;
    }
    let source = context.source;
    let name = method.name.as_str();
    let resembling = marks.iter().find(|(mark, _)| *mark == Mark::Resembles);
    if let Some((_, node)) = resembling {
        resembles(context, node);
        return true;
    }
    let decorated = marks.iter().find(|(mark, _)| *mark == Mark::OnSteps);
    let (span, label) = if let Some((_, node)) = decorated {
        (source.span(&node.expression), "this belongs on a step")
    } else if transition::ends_in_next(method) {
        (source.span(&method.name), "it ends in `self.next`")
    } else {
        return false;
    };
    let message = format!("`{name}` lacks `@step`");
    let help = "write `@step` on a line of its own right above `def`";
    context
        .found
        .push(Diagnostic::error(Code::FC0021, message, span, label).help(help));
    true
}

/// `@step` under the right name from the wrong place, or under a wrong name.
fn resembles(context: &mut Context<'_>, node: &Node) {
    let (named, _) = decorators::parts(node);
    let span = context.source.span(named);
    let text = context.source.text(named);
    let finding = if text.rsplit('.').next() == Some("step") {
        let message = "this `@step` does not come from Metaflow";
        let label = "not the `step` of `metaflow`";
        Diagnostic::error(Code::FC0021, message, span, label)
            .help("add `from metaflow import step`")
    } else {
        let message = format!("unknown decorator `{text}`");
        Diagnostic::error(Code::FC0013, message, span, "not defined in this file")
            .help("did you mean `@step`?")
            .fix(span, "step", "rename to `step`")
    };
    context.found.push(finding);
}

/// Reads a method that [`is_step`].
pub(super) fn read<'a>(context: &mut Context<'a>, method: &'a StmtFunctionDef) -> Step {
    let source = context.source;
    let marks = check_marks(context, method);
    if method.is_async {
        let span = source.span(&method.name);
        let message = format!("the step `{}` is a coroutine", method.name);
        let finding =
            Diagnostic::error(Code::FC0021, message, span, "`async def` cannot be a step");
        context
            .found
            .push(finding.help("write `def` and call `asyncio.run(...)` in the body"));
    }
    let mut read = Vec::new();
    for node in &method.decorator_list {
        if matches!(mark(context.names, node), Mark::OnSteps | Mark::Other) {
            read.extend(decorators::read(
                context,
                node,
                Place::Step,
                Some(method.name.as_str()),
            ));
        }
    }
    let transition = transition::read(context, method);
    let parameters = &method.parameters;
    let arguments = parameters
        .posonlyargs
        .iter()
        .chain(&parameters.args)
        .map(|argument| Spanned {
            value: argument.parameter.name.to_string(),
            span: source.span(&argument.parameter.name),
        })
        .collect();
    let last = method.body.last();
    Step {
        name: Spanned {
            value: method.name.to_string(),
            span: source.span(&method.name),
        },
        span: source.span(method),
        line: source.line(method.name.start()),
        doc: docstring(&method.body),
        marks,
        arguments,
        decorators: read,
        next: transition.next,
        next_unread: transition.unread,
        last_statement: last.map_or_else(|| source.span(&method.name), |last| source.span(last)),
    }
}

/// `@step` must be there once and innermost; what it says of the step's place.
fn check_marks(context: &mut Context<'_>, method: &StmtFunctionDef) -> Marks {
    let source = context.source;
    let nodes = &method.decorator_list;
    let Some(at) = nodes
        .iter()
        .position(|node| mark(context.names, node) == Mark::Step)
    else {
        return Marks::default();
    };
    let node = &nodes[at];
    let span = source.span(&node.expression);
    for again in &nodes[at + 1..] {
        match mark(context.names, again) {
            Mark::Step => {
                let message = "`@step` is given twice";
                let finding = Diagnostic::error(
                    Code::FC0021,
                    message,
                    source.span(&again.expression),
                    "again",
                )
                .label(span, "first here")
                .help("remove one of the two");
                context.found.push(finding);
            }
            Mark::OnSteps => {
                let message = "`@step` must be the decorator closest to `def`";
                let below = source.span(&again.expression);
                let finding = Diagnostic::error(Code::FC0021, message, span, "not the innermost")
                    .label(below, "this one is applied to a method that is no step yet")
                    .help("move `@step` down to the line right above `def`");
                context.found.push(finding);
                break;
            }
            Mark::Resembles | Mark::Other => {}
        }
    }
    read_arguments(context, node)
}

/// The arguments of `@step`: `start=` and `end=`, each a literal.
fn read_arguments(context: &mut Context<'_>, node: &Node) -> Marks {
    let mut marks = Marks::default();
    let (_, Some(arguments)) = decorators::parts(node) else {
        return marks;
    };
    let source = context.source;
    for argument in &arguments.args {
        let message = "`@step` takes no positional arguments";
        let span = source.span(argument);
        let finding = Diagnostic::error(Code::FC0021, message, span, "what is this?");
        context.found.push(finding.help("write `@step`"));
    }
    for keyword in &arguments.keywords {
        let span = source.span(keyword);
        let name = keyword.arg.as_ref().map_or("", |name| name.as_str());
        let mark = match name {
            "start" => &mut marks.start,
            "end" => &mut marks.end,
            _ => {
                let message = "`@step` has no such argument";
                let finding = Diagnostic::error(Code::FC0021, message, span, "unknown argument");
                let help = "write `@step`, `@step(start=True)` or `@step(end=True)`";
                context.found.push(finding.help(help));
                continue;
            }
        };
        if let Some(literal) = keyword.value.as_boolean_literal_expr() {
            *mark = literal.value.then_some(span);
            continue;
        }
        context.steps_hidden = true;
        let message = format!("`{name}` of `@step` must be `True` or `False`");
        let finding = Diagnostic::error(Code::FC0021, message, span, "no literal");
        let help = "which step comes first and last must be known before the run";
        context.found.push(finding.help(help));
    }
    marks
}
