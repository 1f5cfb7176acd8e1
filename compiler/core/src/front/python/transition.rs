//! `self.next(...)`: where it stands and what it says.

mod switch;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Keyword, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::lower::Context;
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::{GANG_VARIABLE, Gang, Next, Spanned};

/// What a step's body says about the way on.
pub(super) struct Transition {
    /// What could be read.
    pub(super) next: Option<Next>,
    /// Something could not, and was reported.
    pub(super) unread: bool,
}

/// Name of the first argument, `self` by custom.
pub(super) fn receiver(function: &StmtFunctionDef) -> Option<&str> {
    let parameters = &function.parameters;
    parameters
        .posonlyargs
        .iter()
        .chain(&parameters.args)
        .next()
        .map(|parameter| parameter.parameter.name.as_str())
}

/// Whether the last statement is `self.next(...)`.
pub(super) fn ends_in_next(function: &StmtFunctionDef) -> bool {
    let receiver = receiver(function).unwrap_or("self");
    function
        .body
        .last()
        .and_then(|stmt| tail_call(stmt, receiver))
        .is_some()
}

/// The call, if the statement is nothing else.
fn tail_call<'a>(stmt: &'a Stmt, receiver: &str) -> Option<&'a ExprCall> {
    let call = stmt.as_expr_stmt()?.value.as_call_expr()?;
    is_next(call, receiver).then_some(call)
}

fn is_next(call: &ExprCall, receiver: &str) -> bool {
    attribute_of(&call.func, receiver) == Some("next")
}

/// `x` of `self.x`.
fn attribute_of<'a>(expr: &'a Expr, receiver: &str) -> Option<&'a str> {
    let attribute = expr.as_attribute_expr()?;
    let name = attribute.value.as_name_expr()?;
    (name.id.as_str() == receiver).then_some(attribute.attr.as_str())
}

/// Reads the transition of a step and reports every `self.next` that does not count.
pub(super) fn read(context: &mut Context<'_>, function: &StmtFunctionDef) -> Transition {
    let receiver = receiver(function).unwrap_or("self");
    let tail = function
        .body
        .last()
        .and_then(|stmt| tail_call(stmt, receiver));
    let mut finder = Finder {
        receiver,
        calls: Vec::new(),
    };
    finder.visit_body(&function.body);
    let misplaced: Vec<&ExprCall> = finder
        .calls
        .into_iter()
        .filter(|call| tail.is_none_or(|tail| tail.range() != call.range()))
        .collect();

    let mut result = Transition {
        next: None,
        unread: !misplaced.is_empty(),
    };
    for call in &misplaced {
        report_misplaced(context, function, call);
    }
    // What a misplaced call names is kept too: else its steps would seem unreachable.
    for call in tail.into_iter().chain(misplaced.iter().copied()) {
        let counts = tail.is_some_and(|tail| tail.range() == call.range());
        let before = std::mem::take(&mut context.found);
        let (next, understood) = read_call(context, call, receiver);
        let said = std::mem::replace(&mut context.found, before);
        if counts {
            context.found.extend(said);
        }
        result.unread |= !understood;
        result.next = merged(result.next, next);
    }
    result
}

fn merged(known: Option<Next>, more: Option<Next>) -> Option<Next> {
    let Some(mut known) = known else {
        return more;
    };
    for target in more.into_iter().flat_map(|next| next.targets) {
        if known.targets.iter().all(|seen| seen.value != target.value) {
            known.targets.push(target);
        }
    }
    Some(known)
}

fn report_misplaced(context: &mut Context<'_>, function: &StmtFunctionDef, call: &ExprCall) {
    let source = context.source;
    let span = source.span(call);
    let text = source.text(call);
    let step = function.name.as_str();
    let message = format!("`self.next` is not the last statement of `{step}`");
    let Some(last) = function.body.last() else {
        return;
    };
    let finding = Diagnostic::error(Code::FC0007, message, span, "does not count here");
    let returned = last.as_return_stmt().filter(|last| {
        last.value
            .as_ref()
            .is_some_and(|value| value.range() == call.range())
    });
    let finding = if returned.is_some() {
        finding
            .help("write it as a statement of its own, without `return`")
            .fix(source.span(last), text, "remove `return`")
    } else if last.range().contains_range(call.range()) {
        let label = "the last statement decides by itself; the graph must be known before";
        finding
            .label(source.head_of(last), label)
            .help("compute what is needed, then end the step in a single `self.next(...)`")
    } else {
        finding
            .label(source.head_of(last), "the last statement is this")
            .help("move it to the end of the step, outside any block; a step has exactly one")
    };
    context.found.push(finding);
}

/// Reads one call; the flag says whether everything in it was understood.
fn read_call(context: &mut Context<'_>, call: &ExprCall, receiver: &str) -> (Option<Next>, bool) {
    let before = context.found.len();
    if switch::is_meant(call) {
        let next = switch::read(context, call, receiver);
        return (next, context.found.len() == before);
    }
    let mut targets = Vec::new();
    for argument in &call.arguments.args {
        targets.extend(target(context, argument, receiver));
    }

    let (mut foreach, mut gang) = (None, None);
    for keyword in &call.arguments.keywords {
        match keyword.arg.as_deref() {
            Some("foreach") => foreach = Some(read_foreach(context, keyword, receiver)),
            Some("num_parallel") => {
                let nodes = read_nodes(context, keyword);
                let span = context.source.span(keyword);
                gang = Some(Gang { span, nodes });
            }
            Some(name) => {
                if unknown_keyword(context, keyword, name) == Some("foreach") {
                    let text = context.source.text(&keyword.value);
                    foreach = Some(spanned(context, &keyword.value, text));
                }
            }
            None => unreadable(context, keyword.range(), "`**` hides the keywords", None),
        }
    }

    if let Some(gang) = &gang {
        if let Some(foreach) = &foreach {
            let message = "`foreach` and `num_parallel` exclude each other";
            context.found.push(
                Diagnostic::error(Code::FC0006, message, gang.span, "a gang of tasks")
                    .label(foreach.span, "and a task for each element")
                    .help("keep `num_parallel` if the tasks must run at the same time, else `foreach`"),
            );
        }
        // Like a foreach, a gang runs one step many times and is joined.
        foreach = Some(Spanned {
            value: GANG_VARIABLE.to_owned(),
            span: gang.span,
        });
    }

    if call.arguments.args.is_empty() && context.found.len() == before {
        unreadable(
            context,
            call.range(),
            "no step is named",
            Some("name the next step, as in `self.next(self.end)`"),
        );
    } else if let Some(variable) = &foreach
        && call.arguments.args.len() > 1
    {
        let (label, help) = if gang.is_some() {
            let help = "start a gang of one step, and let others follow its join";
            ("a gang runs one step", help.to_owned())
        } else {
            let help = format!(
                "fan out into one step, as in `self.next(self.work, foreach=\"{}\")`, and split from there",
                variable.value
            );
            ("a foreach leads to one step", help)
        };
        unreadable(context, call.range(), label, Some(&help));
    }

    let understood = context.found.len() == before;
    let next = (!targets.is_empty()).then(|| Next {
        span: context.source.span(call),
        targets,
        foreach,
        gang,
        switch: None,
    });
    (next, understood)
}

fn spanned(context: &Context<'_>, node: &impl Ranged, text: &str) -> Spanned<String> {
    Spanned {
        value: text.to_owned(),
        span: context.source.span(node),
    }
}

/// A positional argument; where the intent is plain, the step is kept although the form is refused.
fn target(context: &mut Context<'_>, expr: &Expr, receiver: &str) -> Option<Spanned<String>> {
    if let Some(step) = attribute_of(expr, receiver) {
        // An empty name comes from a syntax error, which has been reported.
        return (!step.is_empty()).then(|| spanned(context, expr, step));
    }
    let called = expr
        .as_call_expr()
        .and_then(|call| attribute_of(&call.func, receiver));
    let named = expr.as_name_expr().map(|name| name.id.as_str());
    let quoted = expr
        .as_string_literal_expr()
        .map(|text| text.value.to_str());
    let (step, label) = if let Some(step) = called {
        (step, "this calls the step")
    } else if let Some(name) = named {
        (name, "this is no step of the flow object")
    } else if let Some(text) = quoted {
        (text, "this is a string")
    } else {
        let help = format!("name the step itself, as in `{receiver}.train`");
        unreadable(
            context,
            expr.range(),
            "only Python could evaluate this",
            Some(&help),
        );
        return None;
    };
    if step.is_empty() {
        return None;
    }
    let span = context.source.span(expr);
    let replacement = format!("{receiver}.{step}");
    let message = "a target of `self.next` must be written as a method of the flow";
    context.found.push(
        Diagnostic::error(Code::FC0006, message, span, label)
            .help(format!("write `{replacement}`"))
            .fix(span, replacement, "name the step"),
    );
    Some(spanned(context, expr, step))
}

/// The number of nodes, where it is written as a number; any other expression is Python's to judge.
fn read_nodes(context: &mut Context<'_>, keyword: &Keyword) -> Option<u32> {
    let value = &keyword.value;
    let written = value
        .as_number_literal_expr()
        .and_then(|number| number.value.as_int())
        .and_then(|number| u32::try_from(number.as_u64()?).ok())
        .filter(|nodes| *nodes > 0);
    let is_plain = value.is_literal_expr() || value.is_unary_op_expr();
    if written.is_none() && is_plain {
        let help = "write how many tasks there are, at least 1, as in `num_parallel=4`";
        unreadable(context, value.range(), "no number of tasks", Some(help));
    }
    written
}

fn read_foreach(context: &mut Context<'_>, keyword: &Keyword, receiver: &str) -> Spanned<String> {
    let value = &keyword.value;
    if let Some(text) = value.as_string_literal_expr() {
        let text = text.value.to_str();
        if !is_identifier(text) {
            let help = "name an attribute that the step sets, as in `foreach=\"items\"`";
            let label = "not the name of an attribute";
            unreadable(context, value.range(), label, Some(help));
        }
        return spanned(context, value, text);
    }
    let name = attribute_of(value, receiver)
        .or_else(|| value.as_name_expr().map(|name| name.id.as_str()))
        .filter(|name| !name.is_empty());
    let text = context.source.text(value);
    let span = context.source.span(value);
    let message = "`foreach` must be the name of an artifact as a string";
    let finding = Diagnostic::error(Code::FC0006, message, span, "not a literal string");
    let finding = if let Some(name) = name {
        finding
            .help(format!(
                "write `foreach=\"{name}\"`, with `self.{name}` set in this step"
            ))
            .fix(span, format!("\"{name}\""), "name the artifact")
    } else {
        finding
            .help("store the list first, as in `self.items = ...`, and write `foreach=\"items\"`")
    };
    context.found.push(finding);
    // It stays a foreach, so that its join is not taken for a stray one.
    spanned(context, value, name.unwrap_or(text))
}

fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// Reports the keyword and returns the one that was probably meant.
fn unknown_keyword(
    context: &mut Context<'_>,
    keyword: &Keyword,
    name: &str,
) -> Option<&'static str> {
    let name_range = keyword.arg.as_ref().map_or(keyword.range(), Ranged::range);
    let span = context.source.span(&name_range);
    let message = format!("`self.next` has no argument `{name}`");
    let finding = Diagnostic::error(Code::FC0006, message, span, "unknown argument");
    let near = closest(name, ["foreach", "condition", "num_parallel"].into_iter());
    context.found.push(match near {
        Some(near) => finding.help(format!("did you mean `{near}`?")).fix(
            span,
            near,
            format!("rename to `{near}`"),
        ),
        None => finding.help(
            "besides steps it takes `foreach=\"...\"`, `num_parallel=...` or `condition=\"...\"`",
        ),
    });
    near
}

fn unreadable(context: &mut Context<'_>, range: TextRange, label: &str, help: Option<&str>) {
    let span = context.source.span(&range);
    let message = "this form of `self.next` is not understood";
    let mut finding = Diagnostic::error(Code::FC0006, message, span, label);
    finding.help = help.map(str::to_owned);
    context.found.push(finding);
}

/// Every `self.next(...)` of a body, nested functions included.
struct Finder<'a> {
    receiver: &'a str,
    calls: Vec<&'a ExprCall>,
}

impl<'a> Visitor<'a> for Finder<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Some(call) = expr.as_call_expr()
            && is_next(call, self.receiver)
        {
            self.calls.push(call);
        }
        visitor::walk_expr(self, expr);
    }
}
