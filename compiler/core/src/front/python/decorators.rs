//! Decorators of steps and flows.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Arguments, Decorator as Node, Expr, Keyword};
use ruff_text_size::{Ranged, TextRange};

use super::described::UserDecorator;
use super::known;
use super::literal::{self, NotLiteral, Why};
use super::lower::Context;
use super::names::{Meaning, Names};
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::{Argument, Decorator, Literal, NAMESPACED, Spanned};
use crate::source::Span;

/// What is decorated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Step,
    Flow,
}

/// A decorator taken apart: what is named, and what it is called with.
pub(super) fn parts(node: &Node) -> (&Expr, Option<&Arguments>) {
    match node.expression.as_call_expr() {
        Some(call) => (&call.func, Some(&call.arguments)),
        None => (&node.expression, None),
    }
}

/// Reads a decorator other than `@step`; `None` if it was reported.
pub(super) fn read<'a>(
    context: &mut Context<'a>,
    node: &'a Node,
    place: Place,
    step: Option<&str>,
) -> Option<Decorator> {
    let (named, arguments) = parts(node);
    let span = context.source.span(named);
    let text = context.source.text(named);
    let meaning = context.names.resolve(named);
    let Some(name) = meaning.exported() else {
        let last = text.rsplit('.').next().unwrap_or(text);
        context.user_decorators.push(UserDecorator {
            step: step.map(str::to_owned),
            name: last.to_owned(),
            span: context.source.span(&node.expression),
        });
        foreign(context, &meaning, span, text, place);
        return None;
    };
    if known::supported_decorator(name).is_some() {
        let arguments = arguments.map_or_else(
            || Some(IndexMap::new()),
            |arguments| read_arguments(context, name, arguments),
        )?;
        return Some(Decorator {
            name: Spanned {
                value: name.to_owned(),
                span,
            },
            span: context.source.span(&node.expression),
            is_written: true,
            arguments,
        });
    }
    context.explained.insert(name.to_owned());
    let finding = if let Some(words) = known::without_effect(name) {
        without_effect(name, words, span)
    } else if let Some(help) = known::not_yet(name) {
        let message = format!("`@{name}` is not supported yet");
        Diagnostic::error(Code::FC0014, message, span, "not supported yet").help(help)
    } else {
        let message = format!("Metaflow has no decorator `{name}`");
        let finding = Diagnostic::error(Code::FC0013, message, span, "unknown decorator");
        match closest(name, known::decorator_names()) {
            Some(near) => finding.help(format!("did you mean `@{near}`?")).fix(
                last_part(span, named),
                near,
                format!("rename to `{near}`"),
            ),
            None => finding.help("remove it, or use a decorator of Metaflow"),
        }
    };
    context.found.push(finding);
    None
}

/// A decorator that is accepted although nothing is done about it.
pub(super) fn without_effect(name: &str, [label, help]: [&str; 2], span: Span) -> Diagnostic {
    let message = format!("`@{name}` has no effect yet");
    Diagnostic::warning(Code::FC0030, message, span, label).help(help)
}

/// A decorator that does not come from Metaflow.
fn foreign(context: &mut Context<'_>, meaning: &Meaning<'_>, span: Span, text: &str, place: Place) {
    let (what, way_out) = match place {
        Place::Step => (
            "step",
            "call the helper inside the body of the step instead",
        ),
        Place::Flow => ("flow", "do what it does in the class itself"),
    };
    let unknowable = format!("flowc cannot know whether it changes the {what}");
    let unknown = |label: String| {
        let message = format!("unknown decorator `{text}`");
        Diagnostic::error(Code::FC0013, message, span, label)
    };
    let finding = match meaning {
        Meaning::Unbound(name) if known::decorator_names().any(|known| known == *name) => {
            unknown("not imported".to_owned()).help(format!("add `from metaflow import {name}`"))
        }
        Meaning::Unbound(name) => {
            let finding = unknown("not defined in this file".to_owned());
            match closest(name, known::decorator_names()) {
                Some(near) => finding.help(format!("did you mean `@{near}`?")).fix(
                    span,
                    near,
                    format!("rename to `{near}`"),
                ),
                None => finding.help(way_out),
            }
        }
        Meaning::Foreign(path) => {
            unknown(format!("imported as `{path}`; {unknowable}")).help(way_out)
        }
        Meaning::Class(at) if context.modules[at.module].source.id != context.source.id => {
            let path = context.modules[at.module].source.path();
            unknown(format!("defined in `{path}`; {unknowable}")).help(way_out)
        }
        Meaning::Class(_) | Meaning::Function => {
            unknown(format!("defined in this file; {unknowable}")).help(way_out)
        }
        Meaning::Value | Meaning::Bound | Meaning::Expression | Meaning::Metaflow(_) => {
            let message = "a decorator must be named directly";
            Diagnostic::error(Code::FC0012, message, span, "known only when Python runs")
                .help("write the decorator itself, as in `@retry(times=3)`")
        }
    };
    // Python may know what the name means only if something binds it.
    if matches!(meaning, Meaning::Unbound(_)) && !context.names.star {
        context.found.push(finding);
    } else {
        context.ask(finding);
    }
}

/// Of `metaflow.rety` the part after the dot.
fn last_part(span: Span, named: &Expr) -> Span {
    let last = named
        .as_attribute_expr()
        .map_or(named.range(), |named| named.attr.range());
    Span {
        start: last.start().to_u32(),
        ..span
    }
}

/// The keyword arguments; `None` if one of them was reported, since a decorator without it would be judged wrongly.
fn read_arguments<'a>(
    context: &mut Context<'a>,
    name: &str,
    arguments: &'a Arguments,
) -> Option<IndexMap<String, Argument>> {
    let mut complete = true;
    for argument in &arguments.args {
        complete = false;
        let span = context.source.span(argument);
        let message = format!("`@{name}` takes its arguments by keyword only");
        let finding = Diagnostic::error(Code::FC0201, message, span, "a positional argument");
        let keyword = known::supported_decorator(name).unwrap_or_default();
        let text = context.source.text(argument);
        context.found.push(if keyword.is_empty() {
            finding.help(format!("`@{name}` takes no arguments"))
        } else if argument.is_starred_expr() || arguments.args.len() > 1 {
            finding.help(format!("write keywords, as in `@{name}({keyword}=...)`"))
        } else {
            finding
                .help(format!("write `{keyword}={text}` if that is what is meant"))
                .fix(span, format!("{keyword}={text}"), "name the argument")
        });
    }
    let mut read = IndexMap::new();
    for keyword in &arguments.keywords {
        let Some((key, argument)) = read_argument(context, name, keyword) else {
            // Python's answer says what it is.
            complete &= context.description.is_some();
            continue;
        };
        read.insert(key, argument);
    }
    complete.then_some(read)
}

fn read_argument<'a>(
    context: &mut Context<'a>,
    decorator: &str,
    keyword: &'a Keyword,
) -> Option<(String, Argument)> {
    let Some(name) = &keyword.arg else {
        let error = NotLiteral::computed(keyword.range());
        let message = format!("`**` hides the arguments of `@{decorator}`");
        not_literal(context, &keyword.value, error, Code::FC0012, &message);
        return None;
    };
    let value = if decorator == "exit_hook" {
        names_of_functions(context, &keyword.value)
    } else if decorator == "trigger" {
        names_of_events(context, &keyword.value)
    } else {
        context.literal(&keyword.value)
    };
    let value = match value {
        Ok(value) => value,
        // Only its place is asked for.
        Err(_) if context.description.is_some() => Literal::None,
        Err(error) => {
            let message = format!("`{name}` of `@{decorator}` is not a literal");
            not_literal(context, &keyword.value, error, Code::FC0012, &message);
            return None;
        }
    };
    let span = context.source.span(&keyword.value);
    let argument = Argument {
        name_span: context.source.span(name),
        value: Spanned::<Literal> { value, span },
    };
    Some((name.to_string(), argument))
}

/// A list whose functions stand for their names, as `@exit_hook` takes them.
fn names_of_functions<'a>(context: &Context<'a>, value: &'a Expr) -> Result<Literal, NotLiteral> {
    literal::evaluate(value, &|part: &'a Expr| match context.names.resolve(part) {
        Meaning::Function | Meaning::Foreign(_) => {
            Some(Literal::Str(context.source.text(part).to_owned()))
        }
        Meaning::Metaflow(_)
        | Meaning::Class(_)
        | Meaning::Value
        | Meaning::Bound
        | Meaning::Unbound(_)
        | Meaning::Expression => context.names.constant(part),
    })
}

/// A value in which `namespaced_event_name("...")` stands for a dictionary with that one key.
fn names_of_events<'a>(context: &Context<'a>, value: &'a Expr) -> Result<Literal, NotLiteral> {
    literal::evaluate(value, &|part: &'a Expr| {
        let Some(call) = part.as_call_expr() else {
            return context.literal(part).ok();
        };
        let function = context.names.resolve(&call.func);
        let function = function.exported().filter(|name| *name == NAMESPACED)?;
        let [argument] = &*call.arguments.args else {
            return None;
        };
        let name = context.literal(argument).ok()?;
        let is_plain = matches!(name, Literal::Str(_)) && call.arguments.keywords.is_empty();
        is_plain.then(|| Literal::Dict(IndexMap::from([(function.to_owned(), name)])))
    })
}

/// Reports a value that is no literal, or the `config_expr` inside it under its own code.
pub(super) fn not_literal<'a>(
    context: &mut Context<'a>,
    value: &'a Expr,
    error: NotLiteral,
    code: Code,
    message: &str,
) {
    let mut finder = ConfigFinder {
        names: context.names,
        configs: &context.configs,
        found: None,
        echo: false,
    };
    finder.visit_expr(value);
    let echo = finder.echo;
    if let Some((name, range)) = finder.found {
        config(context, &name, range);
        return;
    }
    if echo {
        return;
    }
    let span = context.source.span(&error.range);
    let help = "write the value itself; what is computed belongs into a parameter or into the body of a step";
    let finding = Diagnostic::error(code, message, span, error.why.text()).help(help);
    // Python keeps for itself what a default is that no target can be told.
    let asks = error.why == Why::Computed || (code == Code::FC0011 && error.why != Why::Kind);
    if asks {
        context.ask(finding);
    } else {
        context.found.push(finding);
    }
}

/// Names of Metaflow that bring configuration from outside into the class.
pub(super) fn is_config(path: &str) -> bool {
    ["Config", "ConfigValue", "config_expr"].contains(&path)
}

/// Reports a use of `Config` or `config_expr`.
pub(super) fn config(context: &mut Context<'_>, name: &str, range: TextRange) {
    let span = context.source.span(&range);
    let message = format!("`{name}` cannot be read statically");
    let finding = Diagnostic::error(Code::FC0017, message, span, "known only when Python runs");
    context.ask(finding.help("write the value itself, or make it a `Parameter`"));
}

struct ConfigFinder<'n, 'a> {
    names: &'n Names<'a>,
    configs: &'n BTreeMap<String, Span>,
    found: Option<(String, TextRange)>,
    /// A configuration is read whose definition has been reported.
    echo: bool,
}

impl<'a> Visitor<'a> for ConfigFinder<'_, 'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if self.found.is_none()
            && let Some(path) = self.names.resolve(expr).exported()
            && is_config(path)
        {
            self.found = Some((path.to_owned(), expr.range()));
        }
        self.echo |= expr
            .as_name_expr()
            .is_some_and(|name| self.configs.contains_key(name.id.as_str()));
        visitor::walk_expr(self, expr);
    }
}
