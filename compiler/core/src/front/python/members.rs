//! What a class body binds: steps, parameters, constants.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::classes::Lineage;
use super::decorators::{config, is_config};
use super::lower::Context;
use super::names::Meaning;
use super::{parameters, steps};
use crate::diag::{Code, Diagnostic};
use crate::ir::flow::{Constant, Literal, Parameter, Spanned, Step};
use crate::source::Span;

/// Class attributes that Metaflow never treats as constants.
/// `FlowSpec._NON_PARAMETERS` in `metaflow/flowspec.py`, read at 2.19.39.
const NO_CONSTANTS: &[&str] = &[
    "cmd",
    "foreach_stack",
    "index",
    "input",
    "script_name",
    "name",
];

/// Wrappers whose result is looked up as a function or a property.
const WRAPPERS: &[&str] = &["staticmethod", "classmethod", "property"];

/// Something that a class body binds.
pub(super) enum Member {
    Step(Step),
    Parameter(Parameter),
    Constant(Constant),
    /// A method, a nested class: no part of the flow, but it hides what a base binds.
    Other,
}

struct Entry<'a> {
    name: &'a str,
    range: TextRange,
    member: Member,
}

/// What the flow's attributes are after inheritance, in source order.
pub(super) fn read<'a>(context: &mut Context<'a>, lineage: &Lineage<'a>) -> Vec<Member> {
    let mut visible: HashSet<&str> = HashSet::new();
    let mut entries: Vec<(usize, Entry<'a>)> = Vec::new();
    for at in &lineage.order {
        context.enter(at.module);
        for entry in read_class(context, at.class) {
            if visible.insert(entry.name) {
                entries.push((at.module, entry));
            }
        }
    }
    // The flow's own file comes first, the others in the order in which it leads to them.
    entries.sort_by_key(|(module, entry)| (*module, entry.range.start()));
    entries.into_iter().map(|(_, entry)| entry.member).collect()
}

/// The bindings of one class; of several for one name the last counts.
fn read_class<'a>(context: &mut Context<'a>, class: &'a StmtClassDef) -> Vec<Entry<'a>> {
    let mut body = Body {
        entries: Vec::new(),
    };
    body.read(context, &class.body, Certainty::Always);
    let mut last: HashMap<&str, usize> = HashMap::new();
    let mut kept: Vec<Option<Entry<'a>>> = Vec::new();
    for entry in body.entries {
        if let Some(earlier) = last.insert(entry.name, kept.len()) {
            let earlier = kept[earlier].take();
            report_twice(context, earlier.as_ref(), &entry);
        }
        kept.push(Some(entry));
    }
    kept.into_iter().flatten().collect()
}

fn report_twice(context: &mut Context<'_>, earlier: Option<&Entry<'_>>, later: &Entry<'_>) {
    let Some(earlier) = earlier else {
        return;
    };
    let (was, is) = (
        matches!(earlier.member, Member::Step(_)),
        matches!(later.member, Member::Step(_)),
    );
    if !was && !is {
        return;
    }
    let name = later.name;
    let message = if was && is {
        format!("two steps are called `{name}`")
    } else {
        format!("`{name}` is both a step and something else")
    };
    let span = context.source.span(&later.range);
    let first = context.source.span(&earlier.range);
    let finding = Diagnostic::error(Code::FC0020, message, span, "this one hides the other")
        .label(first, "first defined here")
        .help("rename one of the two");
    context.found.push(finding);
}

/// Whether a statement of the class body is run in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    Always,
    /// Inside a block whose head stands here.
    Perhaps(Span),
}

struct Body<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> Body<'a> {
    fn read(&mut self, context: &mut Context<'a>, body: &'a [Stmt], certainty: Certainty) {
        for stmt in body {
            self.statement(context, stmt, certainty);
        }
    }

    fn push(&mut self, name: &'a str, range: TextRange, member: Member) {
        self.entries.push(Entry {
            name,
            range,
            member,
        });
    }

    fn statement(&mut self, context: &mut Context<'a>, stmt: &'a Stmt, certainty: Certainty) {
        if let Some(method) = stmt.as_function_def_stmt() {
            self.method(context, method, certainty);
        } else if let Some(class) = stmt.as_class_def_stmt() {
            self.push(class.name.as_str(), class.name.range(), Member::Other);
        } else if let Some(assign) = stmt.as_assign_stmt() {
            for target in &assign.targets {
                self.assign(context, target, Some(&assign.value), certainty);
            }
        } else if let Some(assign) = stmt.as_ann_assign_stmt() {
            if let Some(value) = &assign.value {
                self.assign(context, &assign.target, Some(value), certainty);
            }
        } else if let Some(assign) = stmt.as_aug_assign_stmt() {
            self.assign(context, &assign.target, None, certainty);
        } else if let Some(delete) = stmt.as_delete_stmt() {
            report_delete(context, delete.range());
        } else {
            self.block(context, stmt);
        }
    }

    /// The statements inside a compound statement; only Python knows which of them are run.
    fn block(&mut self, context: &mut Context<'a>, stmt: &'a Stmt) {
        let head = context.source.head_of(stmt);
        let inside = Certainty::Perhaps(head);
        if let Some(branch) = stmt.as_if_stmt() {
            self.read(context, &branch.body, inside);
            for clause in &branch.elif_else_clauses {
                self.read(context, &clause.body, inside);
            }
        } else if let Some(each) = stmt.as_for_stmt() {
            self.assign(context, &each.target, None, inside);
            self.read(context, &each.body, inside);
            self.read(context, &each.orelse, inside);
        } else if let Some(while_) = stmt.as_while_stmt() {
            self.read(context, &while_.body, inside);
            self.read(context, &while_.orelse, inside);
        } else if let Some(with) = stmt.as_with_stmt() {
            for item in &with.items {
                if let Some(target) = &item.optional_vars {
                    self.assign(context, target, None, inside);
                }
            }
            self.read(context, &with.body, inside);
        } else if let Some(attempt) = stmt.as_try_stmt() {
            self.read(context, &attempt.body, inside);
            for handler in &attempt.handlers {
                if let Some(handler) = handler.as_except_handler() {
                    self.read(context, &handler.body, inside);
                }
            }
            self.read(context, &attempt.orelse, inside);
            self.read(context, &attempt.finalbody, inside);
        } else if let Some(choice) = stmt.as_match_stmt() {
            for case in &choice.cases {
                self.read(context, &case.body, inside);
            }
        }
    }

    fn method(
        &mut self,
        context: &mut Context<'a>,
        method: &'a StmtFunctionDef,
        certainty: Certainty,
    ) {
        let name = method.name.as_str();
        let member = if steps::is_step(context, method) {
            report_uncertain(context, certainty, method.name.range(), "a step");
            Member::Step(steps::read(context, method))
        } else {
            Member::Other
        };
        if !name.is_empty() {
            context.class_names.insert(name, None);
            self.push(name, method.name.range(), member);
        }
    }

    fn assign(
        &mut self,
        context: &mut Context<'a>,
        target: &'a Expr,
        value: Option<&'a Expr>,
        certainty: Certainty,
    ) {
        let elements = target
            .as_tuple_expr()
            .map(|tuple| &tuple.elts)
            .or_else(|| target.as_list_expr().map(|list| &list.elts));
        if let Some(elements) = elements {
            if let Some(value) = value {
                // A parameter must be bound to one name; the tuple is searched for it.
                report_hidden(context, value);
            }
            for element in elements {
                self.assign(context, element, None, certainty);
            }
            return;
        }
        let Some(name) = target.as_name_expr() else {
            return;
        };
        let (range, name) = (name.range(), name.id.as_str());
        if name.is_empty() {
            return;
        }
        let plain = value.and_then(|value| context.literal(value).ok());
        let plain = plain.filter(|value| !matches!(value, Literal::List(_) | Literal::Dict(_)));
        let certain = certainty == Certainty::Always;
        context.class_names.insert(name, plain.filter(|_| certain));
        let span = context.source.span(&range);
        let member = match value {
            Some(value) => self::value(context, name, span, value, certainty),
            None => constant(context, name, span, None),
        };
        self.push(name, range, member);
    }
}

/// A plain name bound to a value: a parameter or a constant.
fn value<'a>(
    context: &mut Context<'a>,
    name: &str,
    span: Span,
    value: &'a Expr,
    certainty: Certainty,
) -> Member {
    let call = value.as_call_expr();
    let meaning = call.map(|call| context.names.resolve(&call.func));
    match (call, meaning) {
        (Some(call), Some(Meaning::Metaflow(path)))
            if path == "Parameter" || path == "IncludeFile" =>
        {
            report_uncertain(context, certainty, call.range(), "a parameter");
            let attribute = Spanned {
                value: name.to_owned(),
                span,
            };
            let declared = parameters::declared(path == "IncludeFile");
            Member::Parameter(parameters::read(context, attribute, call, declared))
        }
        (Some(call), Some(Meaning::Metaflow(path))) if is_config(&path) => {
            config(context, &path, call.func.range());
            let declared = context.source.span(call);
            context.configs.insert(name.to_owned(), declared);
            Member::Other
        }
        (Some(_), Some(Meaning::Unbound(wrapper))) if WRAPPERS.contains(&wrapper) => Member::Other,
        _ if value.is_lambda_expr() => Member::Other,
        _ => {
            let certain = certainty == Certainty::Always;
            constant(context, name, span, Some(value).filter(|_| certain))
        }
    }
}

fn constant<'a>(context: &Context<'a>, name: &str, span: Span, value: Option<&'a Expr>) -> Member {
    if name.starts_with('_') || NO_CONSTANTS.contains(&name) {
        return Member::Other;
    }
    Member::Constant(Constant {
        name: Spanned {
            value: name.to_owned(),
            span,
        },
        value: value.and_then(|value| context.literal(value).ok()),
    })
}

fn report_uncertain(context: &mut Context<'_>, certainty: Certainty, range: TextRange, what: &str) {
    let Certainty::Perhaps(head) = certainty else {
        return;
    };
    let source = context.source;
    let message = format!("{what} inside a block of the class body cannot be read statically");
    let finding = Diagnostic::error(
        Code::FC0023,
        message,
        source.span(&range),
        "only Python knows whether it exists",
    )
    .label(head, "depends on this")
    .help("define it at the top of the class body, without a condition");
    context.found.push(finding);
}

fn report_delete(context: &mut Context<'_>, range: TextRange) {
    let span = context.source.span(&range);
    let message = "`del` in the body of a flow cannot be read statically";
    let finding = Diagnostic::error(Code::FC0023, message, span, "takes an attribute away");
    let help = "remove the attribute where it is defined";
    context.found.push(finding.help(help));
}

/// Parameters that are elements of a tuple.
fn report_hidden<'a>(context: &mut Context<'a>, value: &'a Expr) {
    let elements = value.as_tuple_expr().map(|tuple| &tuple.elts);
    for element in elements.into_iter().flatten() {
        let Some(call) = element.as_call_expr() else {
            continue;
        };
        let meaning = context.names.resolve(&call.func);
        if meaning.exported() == Some("Parameter") {
            let span = context.source.span(call);
            let message = "a parameter must be assigned to one name";
            let finding = Diagnostic::error(Code::FC0011, message, span, "part of a tuple")
                .help("write one assignment for each parameter");
            context.found.push(finding);
        }
    }
}
