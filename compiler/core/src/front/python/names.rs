//! What a name in the file stands for, as far as imports and definitions tell.

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, Expr, Stmt, StmtClassDef, StmtImport, StmtImportFrom};
use ruff_text_size::{Ranged, TextRange};

use super::known;

/// Packages that export what we look for; both mean the same.
const PACKAGES: [&str; 2] = ["metaflow", "flowc"];

/// What a name or dotted name stands for.
#[derive(Clone, Debug)]
pub(super) enum Meaning<'a> {
    /// Exported by `metaflow` or `flowc` under this dotted name; empty for the package itself.
    Metaflow(String),
    /// Imported from somewhere else under this dotted name.
    Foreign(String),
    /// A class of this file.
    Class(&'a StmtClassDef),
    /// A function of this file.
    Function,
    /// Assigned a value that is no plain name.
    Value,
    /// Bound by a statement that says nothing about its value: a loop, `with`, `+=`.
    Bound,
    /// Not bound in this file: a builtin or a mistake.
    Unbound(&'a str),
    /// An expression that is no dotted name.
    Expression,
}

impl Meaning<'_> {
    /// The name under which Metaflow exports it.
    pub(super) fn exported(&self) -> Option<&str> {
        if let Self::Metaflow(path) = self {
            Some(path)
        } else {
            None
        }
    }
}

/// The names of one file.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    bindings: HashMap<&'a str, Meaning<'a>>,
    /// Whether there is a `from metaflow import *`.
    star: bool,
    /// Every use of an exported name, in source order.
    pub(super) imported: Vec<(String, TextRange)>,
    /// Every `from metaflow import *`.
    pub(super) stars: Vec<TextRange>,
}

impl<'a> Names<'a> {
    /// Collects the bindings of the module's own scope and every import of the file.
    pub(super) fn collect(body: &'a [Stmt]) -> Self {
        let mut collector = Collector {
            names: Self::default(),
            depth: 0,
            packages: HashMap::new(),
        };
        collector.visit_body(body);
        let mut names = collector.names;
        names.imported.sort_by_key(|(_, range)| range.start());
        names
    }

    /// What an expression stands for at the top of the module.
    pub(super) fn resolve(&self, expr: &'a Expr) -> Meaning<'a> {
        if let Some(name) = expr.as_name_expr() {
            return self.resolve_name(name.id.as_str());
        }
        let Some(attribute) = expr.as_attribute_expr() else {
            return Meaning::Expression;
        };
        let attr = attribute.attr.as_str();
        match self.resolve(&attribute.value) {
            Meaning::Metaflow(path) => Meaning::Metaflow(dotted(&path, attr)),
            Meaning::Foreign(path) => Meaning::Foreign(dotted(&path, attr)),
            Meaning::Class(_)
            | Meaning::Function
            | Meaning::Value
            | Meaning::Bound
            | Meaning::Unbound(_)
            | Meaning::Expression => Meaning::Expression,
        }
    }

    /// What a plain name stands for at the top of the module.
    pub(super) fn resolve_name(&self, name: &'a str) -> Meaning<'a> {
        if let Some(meaning) = self.bindings.get(name) {
            return meaning.clone();
        }
        if self.star && known::is_exported(name) {
            return Meaning::Metaflow(name.to_owned());
        }
        Meaning::Unbound(name)
    }

    fn bind(&mut self, name: &'a str, meaning: Meaning<'a>) {
        self.bindings.insert(name, meaning);
    }
}

/// `a` and `b` as `a.b`; `b` alone if `a` is empty.
fn dotted(path: &str, attr: &str) -> String {
    if path.is_empty() {
        attr.to_owned()
    } else {
        format!("{path}.{attr}")
    }
}

/// The part of a module's dotted name after `metaflow` or `flowc`; `None` for other modules.
fn inside_package(module: &str) -> Option<&str> {
    let (head, rest) = module.split_once('.').unwrap_or((module, ""));
    PACKAGES.contains(&head).then_some(rest)
}

struct Collector<'a> {
    names: Names<'a>,
    /// Functions and classes around the statement; bindings count at 0 only.
    depth: u32,
    /// Names that stand for the package or one of its modules anywhere in the file, with the dotted path.
    packages: HashMap<&'a str, String>,
}

impl<'a> Collector<'a> {
    fn bind(&mut self, name: &'a str, meaning: Meaning<'a>) {
        if self.depth == 0 {
            self.names.bind(name, meaning);
        }
    }

    fn import(&mut self, import: &'a StmtImport) {
        for Alias { name, asname, .. } in &import.names {
            let path = name.as_str();
            let (head, _) = path.split_once('.').unwrap_or((path, ""));
            // `import a.b` binds `a`, `import a.b as c` binds `a.b`.
            let (bound, meant) = match asname {
                Some(alias) => (alias.as_str(), path),
                None => (head, head),
            };
            let Some(inside) = inside_package(meant) else {
                self.bind(bound, Meaning::Foreign(meant.to_owned()));
                continue;
            };
            self.packages.insert(bound, inside.to_owned());
            self.bind(bound, Meaning::Metaflow(inside.to_owned()));
            if let Some(module) = inside_package(path).filter(|module| !module.is_empty()) {
                self.names.imported.push((module.to_owned(), name.range()));
            }
        }
    }

    fn import_from(&mut self, import: &'a StmtImportFrom) {
        let module = import.module.as_ref().map_or("", |module| module.as_str());
        let inside = (import.level == 0)
            .then(|| inside_package(module))
            .flatten();
        for alias in &import.names {
            let name = alias.name.as_str();
            let bound = alias.asname.as_ref().map_or(name, |alias| alias.as_str());
            let Some(inside) = inside else {
                let dots = ".".repeat(import.level as usize);
                self.bind(bound, Meaning::Foreign(dots + &dotted(module, name)));
                continue;
            };
            if name == "*" {
                self.names.stars.push(import.range());
                self.names.star |= self.depth == 0;
                continue;
            }
            let path = dotted(inside, name);
            self.names.imported.push((path.clone(), alias.name.range()));
            self.bind(bound, Meaning::Metaflow(path));
        }
    }

    fn assign(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        if let Some(name) = target.as_name_expr() {
            let meaning = match value.map(|value| self.names.resolve(value)) {
                Some(Meaning::Unbound(_) | Meaning::Expression) => Meaning::Value,
                Some(meaning) => meaning,
                None => Meaning::Bound,
            };
            self.bind(name.id.as_str(), meaning);
        }
        let elements = target
            .as_tuple_expr()
            .map(|tuple| &tuple.elts)
            .or_else(|| target.as_list_expr().map(|list| &list.elts));
        for element in elements.into_iter().flatten() {
            self.assign(element, None);
        }
    }
}

impl<'a> Visitor<'a> for Collector<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        let nested = stmt.is_function_def_stmt() || stmt.is_class_def_stmt();
        if let Some(import) = stmt.as_import_stmt() {
            self.import(import);
        } else if let Some(import) = stmt.as_import_from_stmt() {
            self.import_from(import);
        } else if let Some(function) = stmt.as_function_def_stmt() {
            self.bind(function.name.as_str(), Meaning::Function);
        } else if let Some(class) = stmt.as_class_def_stmt() {
            self.bind(class.name.as_str(), Meaning::Class(class));
        } else if let Some(assign) = stmt.as_assign_stmt() {
            for target in &assign.targets {
                self.assign(target, Some(&assign.value));
            }
        } else if let Some(assign) = stmt.as_ann_assign_stmt() {
            if let Some(value) = &assign.value {
                self.assign(&assign.target, Some(value));
            }
        } else if let Some(assign) = stmt.as_aug_assign_stmt() {
            self.assign(&assign.target, None);
        } else if let Some(each) = stmt.as_for_stmt() {
            self.assign(&each.target, None);
        }
        self.depth += u32::from(nested);
        visitor::walk_stmt(self, stmt);
        self.depth -= u32::from(nested);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Some((path, range)) = self.module_attribute(expr) {
            self.names.imported.push((path, range));
            return;
        }
        visitor::walk_expr(self, expr);
    }
}

impl Collector<'_> {
    /// `metaflow.x` and `metaflow.module.x`: the exported name, and where its part after the package stands.
    fn module_attribute(&self, expr: &Expr) -> Option<(String, TextRange)> {
        let attribute = expr.as_attribute_expr()?;
        let attr = attribute.attr.as_str();
        if let Some(name) = attribute.value.as_name_expr() {
            let path = self.packages.get(name.id.as_str())?;
            return Some((dotted(path, attr), attribute.attr.range()));
        }
        let (path, range) = self.module_attribute(&attribute.value)?;
        // Only modules are followed: `metaflow.current.run_id` is a use of `current`.
        if known::is_module(&path) {
            Some((dotted(&path, attr), range.cover(attribute.attr.range())))
        } else {
            Some((path, range))
        }
    }
}
