//! Which class a file runs, where only Python can tell: what leaves it open, and the classes that Python named.

use std::collections::HashSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, ModModule, Stmt, StmtClassDef, StmtIf};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::classes::{self, Lineage};
use super::description::{DescribedClass, Description};
use super::lower::Context;
use super::modules::Module;
use super::names::{ClassAt, Meaning, Names};
use crate::diag::{Code, Diagnostic, Severity};

/// Functions to which a class may be handed without being changed.
const HARMLESS: &[&str] = &[
    "callable",
    "getattr",
    "hasattr",
    "hash",
    "help",
    "id",
    "isinstance",
    "issubclass",
    "len",
    "print",
    "repr",
    "str",
];

/// Functions that bind names which do not stand in the file.
const BINDERS: &[&str] = &["exec", "eval", "globals", "locals", "vars"];

/// Why only Python can tell which class the file runs, if that is so; `asked` says that the class was named beside the file.
pub(super) fn doubt<'a>(
    context: &Context<'a>,
    lineage: Option<&Lineage<'a>>,
    asked: bool,
) -> Option<Diagnostic> {
    let modules = context.modules;
    let order = lineage.map_or(&[][..], |lineage| &lineage.order);
    let found = order
        .iter()
        .find_map(|at| bound_again(&modules[at.module], at))
        .or_else(|| {
            let mut files: Vec<usize> = order.iter().map(|at| at.module).collect();
            files.push(0);
            files.sort_unstable();
            files.dedup();
            files.into_iter().find_map(|module| {
                let runs = module == 0 && !asked;
                of_statements(&modules[module], order, runs).map(|found| (module, found))
            })
        });
    let (module, (range, label)) = found?;
    let span = modules[module].source.span(&range);
    let message = "which class the file runs cannot be read statically";
    let help = "call the flow by the name of its class, as in `MyFlow()`, and let the class be what its `class` statement says";
    Some(Diagnostic::error(Code::FC0033, message, span, label).help(help))
}

type Found = (TextRange, String);

/// A class, or the name of one of its bases, that is bound to several things.
fn bound_again(module: &Module<'_>, at: &ClassAt<'_>) -> Option<(usize, Found)> {
    let again = |name: &str, range: TextRange| {
        let label = format!("`{name}` is bound more than once, and only Python knows to what");
        let rebound = module.names.rebound.contains(name);
        rebound.then_some((at.module, (range, label)))
    };
    let class = at.class;
    let bases = class.arguments.iter().flat_map(|arguments| &arguments.args);
    again(class.name.as_str(), class.name.range()).or_else(|| {
        bases.into_iter().find_map(|base| {
            let mut head = base;
            while let Some(attribute) = head.as_attribute_expr() {
                head = &attribute.value;
            }
            let name = head.as_name_expr()?;
            again(name.id.as_str(), name.range())
        })
    })
}

/// What the statements of a module leave open.
fn of_statements<'a>(module: &Module<'a>, order: &[ClassAt<'a>], runs: bool) -> Option<Found> {
    let mut doubts = Doubts {
        names: &module.names,
        classes: order.iter().map(ClassAt::key).collect(),
        chosen: order.first().map(ClassAt::key),
        runs,
        under_main: false,
        plain: false,
        call: None,
        found: None,
    };
    doubts.visit_body(&module.tree.body);
    for function in called_functions(module.tree) {
        doubts.visit_body(function);
    }
    if let Some(found) = doubts.found {
        return Some(found);
    }
    let call = doubts.call.filter(|_| runs && !doubts.plain)?;
    Some((call, "only Python knows which flow this runs".to_owned()))
}

/// Bodies of the functions that the module's own code calls.
fn called_functions(module: &ModModule) -> impl Iterator<Item = &[Stmt]> {
    let called = classes::calls(module);
    let functions = module.body.iter().filter_map(Stmt::as_function_def_stmt);
    functions
        .filter(move |function| called.contains(function.name.as_str()))
        .map(|function| function.body.as_slice())
}

struct Doubts<'m, 'a> {
    names: &'m Names<'a>,
    /// The class and its bases.
    classes: HashSet<(usize, TextSize)>,
    /// The class.
    chosen: Option<(usize, TextSize)>,
    /// Whether this file says which class is run.
    runs: bool,
    /// Inside of `if __name__ == "__main__":`.
    under_main: bool,
    /// The class is called by its name.
    plain: bool,
    /// The last call under `__main__` of anything but a class of the tree.
    call: Option<TextRange>,
    found: Option<Found>,
}

impl<'a> Doubts<'_, 'a> {
    fn note(&mut self, range: TextRange, label: impl Into<String>) {
        if self.found.is_none() {
            self.found = Some((range, label.into()));
        }
    }

    /// The name of the class or base that an expression stands for.
    fn class(&self, expr: &'a Expr) -> Option<&'a str> {
        let at = self.names.resolve(expr).class()?;
        let is_candidate = self.classes.contains(&at.key());
        is_candidate.then_some(at.class.name.as_str())
    }

    /// An attribute of the class is bound or deleted.
    fn target(&mut self, target: &'a Expr) {
        if let Some(attribute) = target.as_attribute_expr()
            && let Some(name) = self.class(&attribute.value)
        {
            self.note(
                target.range(),
                format!("changes `{name}` after its definition"),
            );
        }
    }

    fn called(&mut self, call: &'a ExprCall) {
        let function = &*call.func;
        let meaning = self.names.resolve(function);
        if self.under_main && !matches!(meaning, Meaning::Class(_)) {
            self.call = Some(call.range());
        }
        if let Meaning::Unbound(name) = meaning
            && BINDERS.contains(&name)
        {
            self.note(call.range(), "may bind any name");
        }
        if let Meaning::Class(at) = meaning {
            self.plain |= self.chosen == Some(at.key());
        }
        let harmless = matches!(meaning, Meaning::Unbound(name) if HARMLESS.contains(&name));
        if !harmless {
            let arguments = &call.arguments;
            let values = arguments.keywords.iter().map(|keyword| &keyword.value);
            for argument in arguments.args.iter().chain(values) {
                self.handed_over(argument);
            }
        }
        let is_plain_call = call.arguments.args.is_empty();
        let unknown = match meaning {
            Meaning::Value | Meaning::Bound => function.is_name_expr(),
            Meaning::Expression => !function.is_attribute_expr(),
            Meaning::Metaflow(_)
            | Meaning::Foreign(_)
            | Meaning::Class(_)
            | Meaning::Function
            | Meaning::Unbound(_) => false,
        };
        if self.runs && is_plain_call && unknown {
            self.note(function.range(), "only Python knows what this is");
        }
    }

    /// A class that is an argument, or an element of one.
    fn handed_over(&mut self, argument: &'a Expr) {
        if let Some(name) = self.class(argument) {
            self.note(
                argument.range(),
                format!("may change `{name}`, or derive from it"),
            );
        }
        let elements = argument
            .as_tuple_expr()
            .map(|tuple| &tuple.elts)
            .or_else(|| argument.as_list_expr().map(|list| &list.elts));
        for element in elements.into_iter().flatten() {
            self.handed_over(element);
        }
    }
}

impl<'a> Visitor<'a> for Doubts<'_, 'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if stmt.is_function_def_stmt() || stmt.is_class_def_stmt() {
            return;
        }
        if let Some(assign) = stmt.as_assign_stmt() {
            assign.targets.iter().for_each(|target| self.target(target));
        } else if let Some(assign) = stmt.as_ann_assign_stmt() {
            self.target(&assign.target);
        } else if let Some(assign) = stmt.as_aug_assign_stmt() {
            self.target(&assign.target);
        } else if let Some(delete) = stmt.as_delete_stmt() {
            delete.targets.iter().for_each(|target| self.target(target));
        }
        let outside = self.under_main;
        self.under_main |= stmt.as_if_stmt().is_some_and(asks_for_main);
        visitor::walk_stmt(self, stmt);
        self.under_main = outside;
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Some(call) = expr.as_call_expr() {
            self.called(call);
        }
        visitor::walk_expr(self, expr);
    }
}

/// `if __name__ == "__main__":`
fn asks_for_main(branch: &StmtIf) -> bool {
    let compared = branch.test.as_compare_expr();
    let name = compared.and_then(|compared| compared.left.as_name_expr());
    name.is_some_and(|name| name.id.as_str() == "__name__")
}

/// The classes that Python named, in its order; an error if it runs one that no file of the tree defines.
pub(super) fn lineage<'a>(
    context: &Context<'a>,
    description: &Description,
) -> Result<Lineage<'a>, Box<Diagnostic>> {
    let mut order: Vec<ClassAt<'a>> = Vec::new();
    for class in &description.classes {
        let mut modules = context.modules.iter().enumerate();
        let module = modules.find(|(_, module)| module.source.path() == class.file);
        // One that is made by a call has no text; what it has of its own is compared with what was read.
        let Some(at) = module.and_then(|(at, module)| definition(at, module, class)) else {
            continue;
        };
        if order.iter().all(|known| known.key() != at.key()) {
            order.push(at);
        }
    }
    let Some(first) = order.first() else {
        let message = format!("no class of a file makes the flow `{}`", description.flow);
        let finding = Diagnostic::new(Code::FC0033, Severity::Error, message);
        return Err(Box::new(finding.help(
            "define the steps in a `class` statement of the flow's file, or of a module that it imports",
        )));
    };
    Ok(Lineage::known(*first, order))
}

/// The statement that defines a class.
fn definition<'a>(at: usize, module: &Module<'a>, class: &DescribedClass) -> Option<ClassAt<'a>> {
    let name = class.name.rsplit('.').next().unwrap_or(&class.name);
    let mut finder = Definitions {
        name,
        found: Vec::new(),
    };
    finder.visit_body(&module.tree.body);
    let holds = |found: &&'a StmtClassDef| {
        class.line.is_some_and(|line| {
            let lines =
                module.source.line(found.range().start())..=module.source.line(found.range().end());
            lines.contains(&line)
        })
    };
    // Of several with this name the one that holds its functions.
    let by_line = finder.found.iter().copied().find(holds);
    let class = by_line.or_else(|| finder.found.last().copied())?;
    Some(ClassAt { class, module: at })
}

struct Definitions<'n, 'a> {
    name: &'n str,
    found: Vec<&'a StmtClassDef>,
}

impl<'a> Visitor<'a> for Definitions<'_, 'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Some(class) = stmt.as_class_def_stmt()
            && class.name.as_str() == self.name
        {
            self.found.push(class);
        }
        visitor::walk_stmt(self, stmt);
    }
}
