//! `self.next({key: self.x, ...}, condition="y")`: which step follows is decided when the step has run.

use ruff_python_ast::{DictItem, Expr, ExprCall, ExprDict};
use ruff_text_size::{Ranged, TextRange};

use super::{attribute_of, is_identifier, spanned, target};
use crate::diag::{Code, Diagnostic};
use crate::front::python::literal::literal;
use crate::front::python::lower::Context;
use crate::ir::flow::{Case, CaseKey, Literal, Next, Spanned, Switch};

/// The form that is understood, for help texts.
const FORM: &str = "write `self.next({\"a\": self.x, \"b\": self.y}, condition=\"choice\")`, with `self.choice` set in this step";

/// Whether the call has anything of a switch.
pub(super) fn is_meant(call: &ExprCall) -> bool {
    let keywords = &call.arguments.keywords;
    call.arguments.args.iter().any(Expr::is_dict_expr)
        || keywords
            .iter()
            .any(|it| it.arg.as_deref() == Some("condition"))
}

/// Reads a call that [`is_meant`] as a switch; what cannot be understood is reported.
pub(super) fn read(context: &mut Context<'_>, call: &ExprCall, receiver: &str) -> Option<Next> {
    let condition = read_keywords(context, call, receiver);
    let mut cases = Vec::new();
    match &call.arguments.args[..] {
        [Expr::Dict(dict)] => read_cases(context, dict, receiver, &mut cases),
        [] => report(context, call.range(), "no steps to choose from"),
        arguments => {
            let other = arguments.iter().find(|it| !it.is_dict_expr());
            let range = other.map_or(call.range(), Ranged::range);
            report(
                context,
                range,
                "a switch takes one dictionary of steps and nothing else",
            );
        }
    }
    // Kept even where the form is refused: else the steps would seem unreachable.
    let mut targets: Vec<Spanned<String>> = Vec::new();
    for argument in &call.arguments.args {
        let values: Vec<&Expr> = if let Some(dict) = argument.as_dict_expr() {
            let items = dict.items.iter().filter(|item| item.key.is_some());
            items.map(|item| &item.value).collect()
        } else {
            vec![argument]
        };
        for value in values {
            if let Some(step) = attribute_of(value, receiver)
                && targets.iter().all(|seen| seen.value != step)
            {
                targets.push(spanned(context, value, step));
            }
        }
    }
    let targets_of_cases = cases.iter().map(|case| &case.target);
    for case in targets_of_cases {
        if targets.iter().all(|seen| seen.value != case.value) {
            targets.push(case.clone());
        }
    }
    (!targets.is_empty()).then(|| Next {
        span: context.source.span(call),
        targets,
        foreach: None,
        gang: None,
        switch: condition.map(|condition| Switch { condition, cases }),
    })
}

/// The condition; every other keyword is reported.
fn read_keywords(
    context: &mut Context<'_>,
    call: &ExprCall,
    receiver: &str,
) -> Option<Spanned<String>> {
    let mut condition = None;
    for keyword in &call.arguments.keywords {
        match keyword.arg.as_deref() {
            Some("condition") => {
                let value = &keyword.value;
                let text = value.as_string_literal_expr().map(|it| it.value.to_str());
                condition = Some(spanned(context, value, text.unwrap_or_default()));
                if text.is_some_and(is_identifier) {
                    continue;
                }
                let span = context.source.span(value);
                let message = "`condition` must be the name of an artifact as a string";
                let finding = Diagnostic::error(Code::FC0008, message, span, "not a literal name");
                context.found.push(match attribute_of(value, receiver) {
                    Some(name) => finding.help(format!("write `condition=\"{name}\"`")).fix(
                        span,
                        format!("\"{name}\""),
                        "name the artifact",
                    ),
                    None => finding.help(FORM),
                });
            }
            Some(name @ ("foreach" | "num_parallel")) => {
                let label = format!("a switch cannot be combined with `{name}`");
                report(context, keyword.range(), &label);
            }
            Some(name) => {
                super::unknown_keyword(context, keyword, name);
            }
            None => report(context, keyword.range(), "`**` hides the keywords"),
        }
    }
    if condition.is_none() {
        let range = call
            .arguments
            .args
            .first()
            .map_or(call.range(), Ranged::range);
        report(
            context,
            range,
            "a dictionary of steps needs `condition=\"...\"`",
        );
    }
    condition
}

fn read_cases(context: &mut Context<'_>, dict: &ExprDict, receiver: &str, cases: &mut Vec<Case>) {
    let before = context.found.len();
    for item in &dict.items {
        let key = read_key(context, item, receiver);
        let target = target(context, &item.value, receiver);
        let (Some(key), Some(target)) = (key, target) else {
            continue;
        };
        if let Some(earlier) = cases.iter_mut().find(|case| case.key.value == key.value) {
            let message = "the same key twice in one switch";
            let finding = Diagnostic::error(Code::FC0008, message, key.span, "given again")
                .label(earlier.key.span, "first given here")
                .help("remove one of the two: Python would keep the last");
            context.found.push(finding);
            earlier.target = target;
            continue;
        }
        cases.push(Case { key, target });
    }
    if cases.len() < 2 && context.found.len() == before {
        report(context, dict.range(), "a switch needs at least two cases");
    }
}

fn read_key(
    context: &mut Context<'_>,
    item: &DictItem,
    receiver: &str,
) -> Option<Spanned<CaseKey>> {
    let Some(key) = &item.key else {
        report(context, item.value.range(), "`**` hides the cases");
        return None;
    };
    let span = context.source.span(key);
    if let Ok(value @ (Literal::Str(_) | Literal::Int(_) | Literal::Float(_) | Literal::Bool(_))) =
        literal(key)
    {
        let value = CaseKey::Literal(value);
        return Some(Spanned { value, span });
    }
    if let Expr::Attribute(outer) = key
        && let Some(config) = attribute_of(&outer.value, receiver)
    {
        let value = CaseKey::Config {
            config: config.to_owned(),
            key: outer.attr.to_string(),
        };
        return Some(Spanned { value, span });
    }
    let finding = Diagnostic::error(
        Code::FC0008,
        "a key of a switch must be known before the run",
        span,
        "no string, number or configuration value",
    );
    context.found.push(
        finding
            .help("write a string or a number, or a value of a `Config` as in `self.config.key`"),
    );
    None
}

fn report(context: &mut Context<'_>, range: TextRange, label: &str) {
    let span = context.source.span(&range);
    let message = "this form of a switch is not understood";
    context
        .found
        .push(Diagnostic::error(Code::FC0008, message, span, label).help(FORM));
}
