//! Which classes are flows, and which one is meant.

use std::collections::HashSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, ModModule, Stmt, StmtClassDef};
use ruff_text_size::{Ranged, TextRange};

use super::lower::Context;
use super::names::{Meaning, Names};
use super::steps;
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic};

/// Bases that bring neither steps nor parameters.
const HARMLESS_BASES: &[&str] = &[
    "abc.ABC",
    "typing.Generic",
    "typing.Protocol",
    "typing_extensions.Generic",
    "typing_extensions.Protocol",
];

/// A class with all its bases in this file.
pub(super) struct Lineage<'a> {
    /// The class.
    pub(super) class: &'a StmtClassDef,
    /// The class and its bases in the order in which Python looks up attributes.
    pub(super) order: Vec<&'a StmtClassDef>,
    /// Bases and metaclasses that cannot be read.
    pub(super) unread: Vec<Unread<'a>>,
    /// Whether `FlowSpec` is among the bases.
    is_flow: bool,
}

/// A base that cannot be read.
pub(super) struct Unread<'a> {
    range: TextRange,
    meaning: Meaning<'a>,
}

impl<'a> Lineage<'a> {
    fn name(&self) -> &'a str {
        self.class.name.as_str()
    }

    fn has_steps(&self, names: &Names<'a>) -> bool {
        self.order.iter().any(|class| steps::any_in(names, class))
    }
}

/// The flow that is meant, or a finding that says why there is none.
pub(super) fn choose<'a>(
    context: &mut Context<'a>,
    module: &'a ModModule,
    asked: Option<&str>,
) -> Option<Lineage<'a>> {
    let mut classes = Vec::new();
    collect(&module.body, &mut classes);
    let mut lineages: Vec<Lineage<'a>> = Vec::new();
    for class in classes {
        // A later class of the same name replaces the earlier one, as in Python.
        lineages.retain(|known| known.class.name.as_str() != class.name.as_str());
        lineages.push(lineage(&context.names, class));
    }
    let called = calls(module);

    if let Some(asked) = asked {
        return choose_asked(context, lineages, asked);
    }
    let names = &context.names;
    let flows = lineages.iter().filter(|lineage| lineage.is_flow).count();
    let (mut candidates, others): (Vec<_>, Vec<_>) = lineages.into_iter().partition(|lineage| {
        // Without a flow in the file, a class that looks like one is read, so that its unknown base is named.
        let called = called.contains(lineage.name());
        let resembles = flows == 0 && (called || lineage.has_steps(names));
        lineage.is_flow || (!lineage.unread.is_empty() && resembles)
    });
    if candidates.is_empty() {
        no_flow(context, &others);
        return None;
    }
    let derived: HashSet<&str> = candidates
        .iter()
        .flat_map(|lineage| lineage.order.iter().skip(1))
        .map(|class| class.name.as_str())
        .collect();
    for preferred in [
        candidates
            .iter()
            .map(|lineage| called.contains(lineage.name()))
            .collect::<Vec<_>>(),
        candidates
            .iter()
            .map(|lineage| !derived.contains(lineage.name()))
            .collect(),
    ] {
        let mut chosen = preferred
            .iter()
            .enumerate()
            .filter(|(_, yes)| **yes)
            .map(|(at, _)| at);
        match (chosen.next(), chosen.next()) {
            (Some(only), None) => return Some(candidates.swap_remove(only)),
            (None, _) => {}
            (Some(_), Some(_)) => {
                let several = preferred;
                let mut keep = several.into_iter();
                candidates.retain(|_| keep.next().unwrap_or(false));
                break;
            }
        }
    }
    several_flows(context, &candidates);
    None
}

/// Classes of the module's own scope, those under `if` and `try` included.
fn collect<'a>(body: &'a [Stmt], classes: &mut Vec<&'a StmtClassDef>) {
    for stmt in body {
        if let Some(class) = stmt.as_class_def_stmt() {
            classes.push(class);
        } else if let Some(branch) = stmt.as_if_stmt() {
            collect(&branch.body, classes);
            for clause in &branch.elif_else_clauses {
                collect(&clause.body, classes);
            }
        } else if let Some(attempt) = stmt.as_try_stmt() {
            collect(&attempt.body, classes);
            for handler in &attempt.handlers {
                if let Some(handler) = handler.as_except_handler() {
                    collect(&handler.body, classes);
                }
            }
            collect(&attempt.orelse, classes);
            collect(&attempt.finalbody, classes);
        } else if let Some(with) = stmt.as_with_stmt() {
            collect(&with.body, classes);
        }
    }
}

fn lineage<'a>(names: &Names<'a>, class: &'a StmtClassDef) -> Lineage<'a> {
    let mut result = Lineage {
        class,
        order: Vec::new(),
        unread: Vec::new(),
        is_flow: false,
    };
    follow(names, class, &mut result, &mut Vec::new());
    // A base reached twice stands where it is reached last: after all classes that derive from it.
    let mut seen = HashSet::new();
    result.order.reverse();
    result
        .order
        .retain(|class| seen.insert(class.range().start()));
    result.order.reverse();
    result
}

fn follow<'a>(
    names: &Names<'a>,
    class: &'a StmtClassDef,
    result: &mut Lineage<'a>,
    around: &mut Vec<TextRange>,
) {
    result.order.push(class);
    around.push(class.range());
    let arguments = class.arguments.as_deref();
    for base in arguments.into_iter().flat_map(|arguments| &arguments.args) {
        // `Generic[T]` brings what `Generic` brings.
        let plain = base
            .as_subscript_expr()
            .map_or(base, |subscript| &subscript.value);
        let meaning = names.resolve(plain);
        match &meaning {
            Meaning::Metaflow(path) if path == "FlowSpec" => result.is_flow = true,
            Meaning::Unbound("object") => {}
            Meaning::Foreign(path) if HARMLESS_BASES.contains(&path.as_str()) => {}
            Meaning::Class(base) if !around.contains(&base.range()) => {
                follow(names, base, result, around);
            }
            Meaning::Metaflow(_)
            | Meaning::Foreign(_)
            | Meaning::Class(_)
            | Meaning::Function
            | Meaning::Value
            | Meaning::Bound
            | Meaning::Unbound(_)
            | Meaning::Expression => {
                let range = base.range();
                result.unread.push(Unread { range, meaning });
            }
        }
    }
    for keyword in arguments
        .into_iter()
        .flat_map(|arguments| &arguments.keywords)
    {
        let range = keyword.range();
        let meaning = names.resolve(&keyword.value);
        if !matches!(&meaning, Meaning::Foreign(path) if path == "abc.ABCMeta") {
            result.unread.push(Unread { range, meaning });
        }
    }
    around.pop();
}

/// Names called by the module's own code, and by the functions that it calls.
fn calls(module: &ModModule) -> HashSet<&str> {
    let mut finder = Calls {
        found: HashSet::new(),
    };
    finder.visit_body(&module.body);
    loop {
        let known = finder.found.len();
        for function in module.body.iter().filter_map(Stmt::as_function_def_stmt) {
            if finder.found.contains(function.name.as_str()) {
                finder.visit_body(&function.body);
            }
        }
        if finder.found.len() == known {
            return finder.found;
        }
    }
}

struct Calls<'a> {
    found: HashSet<&'a str>,
}

impl<'a> Visitor<'a> for Calls<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if !stmt.is_function_def_stmt() && !stmt.is_class_def_stmt() {
            visitor::walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(ExprCall { func, .. }) = expr
            && let Some(name) = func.as_name_expr()
        {
            self.found.insert(name.id.as_str());
        }
        visitor::walk_expr(self, expr);
    }
}

fn choose_asked<'a>(
    context: &mut Context<'a>,
    lineages: Vec<Lineage<'a>>,
    asked: &str,
) -> Option<Lineage<'a>> {
    let flows: Vec<&str> = lineages
        .iter()
        .filter(|lineage| lineage.is_flow)
        .map(Lineage::name)
        .collect();
    let help = match (closest(asked, flows.iter().copied()), flows.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, true) => "no class of this file derives from `FlowSpec`".to_owned(),
        (None, false) => format!("flows of this file: {}", listed(&flows)),
    };
    let mut lineages = lineages;
    let Some(at) = lineages.iter().position(|lineage| lineage.name() == asked) else {
        let message = format!("there is no class `{asked}` in this file");
        let head = context.source.head();
        let finding = Diagnostic::error(Code::FC0005, message, head, "in this file").help(help);
        context.found.push(finding);
        return None;
    };
    let lineage = lineages.swap_remove(at);
    if lineage.is_flow || !lineage.unread.is_empty() {
        return Some(lineage);
    }
    let span = context.source.span(&lineage.class.name);
    let message = format!("`{asked}` is not a flow");
    let label = "does not derive from `FlowSpec`";
    context
        .found
        .push(Diagnostic::error(Code::FC0005, message, span, label).help(help));
    None
}

fn no_flow(context: &mut Context<'_>, classes: &[Lineage<'_>]) {
    let source = context.source;
    let with_steps = classes
        .iter()
        .find(|lineage| lineage.has_steps(&context.names));
    let finding = if let Some(lineage) = with_steps {
        let name = lineage.name();
        let span = source.span(&lineage.class.name);
        let message = format!("`{name}` has steps but is no flow");
        let label = "does not derive from `FlowSpec`";
        Diagnostic::error(Code::FC0003, message, span, label)
            .help(format!("write `class {name}(FlowSpec):`"))
    } else {
        let message = "no flow in this file";
        let label = "no class of this file derives from `FlowSpec`";
        let help = "write `from metaflow import FlowSpec, step` and derive a class from `FlowSpec`";
        Diagnostic::error(Code::FC0003, message, source.head(), label).help(help)
    };
    context.found.push(finding);
}

fn several_flows(context: &mut Context<'_>, candidates: &[Lineage<'_>]) {
    let source = context.source;
    let names: Vec<&str> = candidates.iter().map(Lineage::name).collect();
    let mut finding = Diagnostic::new(
        Code::FC0004,
        crate::diag::Severity::Error,
        format!("several flows in this file: {}", listed(&names)),
    );
    for (index, lineage) in candidates.iter().enumerate() {
        let text = if index == 0 {
            "this one?"
        } else {
            "or this one?"
        };
        finding = finding.label(source.span(&lineage.class.name), text);
    }
    let first = names.first().copied().unwrap_or_default();
    let help = format!(
        "name the one you mean after the file, as in `flow.py:{first}`, or call only one of them under `if __name__ == \"__main__\"`"
    );
    context.found.push(finding.help(help));
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Reports the bases whose steps and parameters are out of sight.
pub(super) fn report_unread(context: &mut Context<'_>, lineage: &Lineage<'_>) {
    let source = context.source;
    context.steps_hidden |= !lineage.unread.is_empty();
    for unread in &lineage.unread {
        let span = source.span(&unread.range);
        let text = source.text(&unread.range);
        let finding = match &unread.meaning {
            Meaning::Unbound(name) => {
                let message = format!("the base class `{name}` is not defined in this file");
                let finding = Diagnostic::error(Code::FC0010, message, span, "not defined");
                if *name == "FlowSpec" {
                    finding.help("add `from metaflow import FlowSpec, step`")
                } else if closest(name, std::iter::once("FlowSpec")).is_some() {
                    finding.help("did you mean `FlowSpec`?").fix(
                        span,
                        "FlowSpec",
                        "derive from `FlowSpec`",
                    )
                } else {
                    finding.help("define it in this file or derive from `FlowSpec` directly")
                }
            }
            Meaning::Foreign(path) => {
                let message = format!("the base class `{text}` is imported from another module");
                Diagnostic::error(
                    Code::FC0010,
                    message,
                    span,
                    format!("`{path}` may hold steps and parameters that flowc does not see"),
                )
                .help("move the class into this file, or call its helpers as plain functions")
            }
            Meaning::Metaflow(path) => {
                let message = format!("`{path}` of Metaflow is not supported as a base class");
                Diagnostic::error(Code::FC0010, message, span, "cannot be read statically")
                    .help("derive from `FlowSpec` only")
            }
            Meaning::Class(_)
            | Meaning::Function
            | Meaning::Value
            | Meaning::Bound
            | Meaning::Expression => {
                let message = format!("the base class `{text}` cannot be read statically");
                Diagnostic::error(Code::FC0010, message, span, "known only when Python runs")
                    .help("derive from `FlowSpec` or from a class of this file by name")
            }
        };
        context.found.push(finding);
    }
}
