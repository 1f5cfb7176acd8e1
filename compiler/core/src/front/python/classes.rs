//! Which classes are flows, and which one is meant.

use std::collections::{BTreeSet, HashSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, ModModule, Stmt, StmtClassDef};
use ruff_text_size::{Ranged, TextRange};

use super::lower::Context;
use super::modules::Module;
use super::mro;
use super::names::{ClassAt, Meaning};
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

/// A class with all its bases in the tree.
pub(super) struct Lineage<'a> {
    /// The class.
    pub(super) class: ClassAt<'a>,
    /// The class and its bases in the order in which Python looks up attributes.
    pub(super) order: Vec<ClassAt<'a>>,
    /// Classes whose bases Python cannot order.
    unordered: Vec<ClassAt<'a>>,
    /// Bases and metaclasses that cannot be read.
    pub(super) unread: Vec<Unread<'a>>,
    /// Whether `FlowSpec` is among the bases.
    is_flow: bool,
}

/// A base that cannot be read.
pub(super) struct Unread<'a> {
    /// Its module.
    module: usize,
    range: TextRange,
    meaning: Meaning<'a>,
    /// The file that was expected to define it.
    missing_in: Option<String>,
}

impl<'a> Lineage<'a> {
    /// A flow whose classes are known.
    pub(super) fn known(class: ClassAt<'a>, order: Vec<ClassAt<'a>>) -> Self {
        Self {
            class,
            order,
            unordered: Vec::new(),
            unread: Vec::new(),
            is_flow: true,
        }
    }

    fn name(&self) -> &'a str {
        self.class.class.name.as_str()
    }

    fn has_steps(&self, modules: &[Module<'a>]) -> bool {
        let mut order = self.order.iter();
        order.any(|at| steps::any_in(&modules[at.module].names, at.class))
    }
}

/// The flow that is meant, or a finding that says why there is none.
pub(super) fn choose<'a>(context: &mut Context<'a>, asked: Option<&str>) -> Option<Lineage<'a>> {
    let modules = context.modules;
    let module = modules[0].tree;
    let mut lineages: Vec<Lineage<'a>> = Vec::new();
    for class in all(module) {
        // A later class of the same name replaces the earlier one, as in Python.
        lineages.retain(|known| known.name() != class.name.as_str());
        lineages.push(lineage(modules, ClassAt { class, module: 0 }));
    }
    let called = calls(module);
    let mut imported: Vec<ClassAt<'a>> = called
        .iter()
        .filter_map(|name| modules[0].names.elsewhere(name))
        .collect();
    imported.sort_by_key(ClassAt::key);
    imported.dedup_by_key(|at| at.key());
    // A flow of another file counts if this one calls it.
    let imported = imported.into_iter().map(|at| lineage(modules, at));
    lineages.extend(imported.filter(|lineage| lineage.is_flow));

    if let Some(asked) = asked {
        return choose_asked(context, lineages, asked);
    }
    let flows = lineages.iter().filter(|lineage| lineage.is_flow).count();
    let (mut candidates, others): (Vec<_>, Vec<_>) = lineages.into_iter().partition(|lineage| {
        // Without a flow in the file, a class that looks like one is read, so that its unknown base is named.
        let called = called.contains(lineage.name());
        let resembles = flows == 0 && (called || lineage.has_steps(modules));
        lineage.is_flow || (!lineage.unread.is_empty() && resembles)
    });
    if candidates.is_empty() {
        no_flow(context, &others);
        return None;
    }
    let derived: HashSet<&str> = candidates
        .iter()
        .flat_map(|lineage| lineage.order.iter().skip(1))
        .map(|at| at.class.name.as_str())
        .collect();
    // By its own name, or by another one that stands for it.
    let meant: HashSet<_> = called
        .iter()
        .filter_map(|name| modules[0].names.resolve_name(name).class())
        .map(|at| at.key())
        .collect();
    let is_called = |lineage: &Lineage<'_>| {
        let class = &lineage.class;
        class.module != 0 || called.contains(lineage.name()) || meant.contains(&class.key())
    };
    for preferred in [
        candidates.iter().map(&is_called).collect::<Vec<_>>(),
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

/// Classes of the module's own scope, in source order.
pub(super) fn all(module: &ModModule) -> Vec<&StmtClassDef> {
    let mut classes = Vec::new();
    collect(&module.body, &mut classes);
    classes
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

fn lineage<'a>(modules: &[Module<'a>], class: ClassAt<'a>) -> Lineage<'a> {
    let mut bases = Bases {
        modules,
        unread: Vec::new(),
        is_flow: false,
    };
    let (order, unordered) = mro::order(class, &mut |at| bases.of(at));
    let Bases {
        mut unread,
        is_flow,
        ..
    } = bases;
    let mut seen = HashSet::new();
    unread.retain(|one| seen.insert((one.module, one.range.start())));
    Lineage {
        class,
        order,
        unordered,
        unread,
        is_flow,
    }
}

/// What is learnt about the bases while they are followed.
struct Bases<'m, 'a> {
    modules: &'m [Module<'a>],
    unread: Vec<Unread<'a>>,
    is_flow: bool,
}

impl<'a> Bases<'_, 'a> {
    /// The bases of one class as it names them.
    fn of(&mut self, at: ClassAt<'a>) -> Vec<mro::Base<'a>> {
        let names = &self.modules[at.module].names;
        let arguments = at.class.arguments.as_deref();
        let mut bases = Vec::new();
        for base in arguments.into_iter().flat_map(|arguments| &arguments.args) {
            // `Generic[T]` brings what `Generic` brings.
            let plain = base
                .as_subscript_expr()
                .map_or(base, |subscript| &subscript.value);
            let meaning = names.resolve(plain);
            let linked = names.linked(plain);
            let missing_in = linked.and_then(|linked| linked.missing_in.clone());
            match meaning {
                Meaning::Metaflow(path) if path == "FlowSpec" => {
                    self.is_flow = true;
                    bases.push(mro::Base::Outside(path));
                }
                Meaning::Unbound("object") => {}
                Meaning::Foreign(path) if HARMLESS_BASES.contains(&path.as_str()) => {
                    bases.push(mro::Base::Outside(path));
                }
                Meaning::Class(base) => bases.push(mro::Base::Inside(base)),
                Meaning::Metaflow(_)
                | Meaning::Foreign(_)
                | Meaning::Function
                | Meaning::Value
                | Meaning::Bound
                | Meaning::Unbound(_)
                | Meaning::Expression => {
                    self.unread(at, base.range(), meaning, missing_in);
                }
            }
        }
        for keyword in arguments
            .into_iter()
            .flat_map(|arguments| &arguments.keywords)
        {
            let meaning = names.resolve(&keyword.value);
            if !matches!(&meaning, Meaning::Foreign(path) if path == "abc.ABCMeta") {
                self.unread(at, keyword.range(), meaning, None);
            }
        }
        bases
    }

    fn unread(
        &mut self,
        at: ClassAt<'a>,
        range: TextRange,
        meaning: Meaning<'a>,
        missing_in: Option<String>,
    ) {
        self.unread.push(Unread {
            module: at.module,
            range,
            meaning,
            missing_in,
        });
    }
}

/// Names called by the module's own code, and by the functions that it calls.
pub(super) fn calls(module: &ModModule) -> BTreeSet<&str> {
    let mut finder = Calls {
        found: BTreeSet::new(),
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
    found: BTreeSet<&'a str>,
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
    let span = context.source.span(&lineage.class.class.name);
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
        .find(|lineage| lineage.has_steps(context.modules));
    let finding = if let Some(lineage) = with_steps {
        let name = lineage.name();
        let span = source.span(&lineage.class.class.name);
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
        finding = finding.label(source.span(&lineage.class.class.name), text);
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
    context.steps_hidden |= !lineage.unread.is_empty();
    for at in &lineage.unordered {
        let name = at.class.name.as_str();
        let span = context.modules[at.module].source.span(&at.class.name);
        let message = format!("Python cannot order the base classes of `{name}`");
        let label = "a base stands before a class that derives from it, or twice";
        let help = "name the most derived class first, and each class once";
        let finding = Diagnostic::error(Code::FC0025, message, span, label).help(help);
        context.found.push(finding);
    }
    for unread in &lineage.unread {
        let source = context.modules[unread.module].source;
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
            Meaning::Foreign(path) if unread.missing_in.is_some() => {
                let file = unread.missing_in.as_deref().unwrap_or_default();
                let message = format!("`{file}` has no class `{}`", last(path));
                Diagnostic::error(Code::FC0010, message, span, format!("imported as `{path}`"))
                    .help(format!("define it in `{file}`, or mend the import"))
            }
            Meaning::Foreign(path) if path.starts_with('.') => {
                let message = format!("the base class `{text}` comes from a relative import");
                let label = "a file outside of any package cannot import relatively";
                Diagnostic::error(Code::FC0010, message, span, label).help(format!(
                    "write `from {} import …`",
                    path.trim_start_matches('.')
                ))
            }
            Meaning::Foreign(path) => {
                let message = format!("the base class `{text}` is imported from another module");
                Diagnostic::error(
                    Code::FC0010,
                    message,
                    span,
                    format!("`{path}` may hold steps and parameters that flowc does not see"),
                )
                .help("move the class into a file beside the flow, or call its helpers as plain functions")
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
        // Python tells where the class is; what is made while it runs has no source.
        let outside = matches!(&unread.meaning, Meaning::Foreign(path) if !path.starts_with('.'));
        if outside && unread.missing_in.is_none() && context.description.is_none() {
            context.ask(finding);
        } else {
            context.found.push(finding);
        }
    }
}

/// The last part of a dotted path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
