//! Collects what the statements of one file bind.

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, Expr, ExprContext, Stmt, StmtImport, StmtImportFrom};
use ruff_text_size::{Ranged, TextRange};

use super::known;
use super::literal::literal;
use super::names::{ClassAt, Constant, Meaning, Names, dotted};
use crate::ir::flow::Literal;

/// Packages that export what we look for; both mean the same.
const PACKAGES: [&str; 2] = ["metaflow", "flowc"];

/// The bindings of the module's own scope and every import of the file; `package` is the one around it.
pub(super) fn collect<'a>(body: &'a [Stmt], package: Option<&str>) -> Names<'a> {
    let mut collector = Collector {
        names: Names::default(),
        depth: 0,
        packages: HashMap::new(),
        package,
        blocks: 0,
        binds_any: false,
        bound: HashMap::new(),
    };
    collector.visit_body(body);
    let Collector {
        mut names,
        bound,
        binds_any,
        ..
    } = collector;
    let once = |name: &str| bound.get(name).is_some_and(|times| *times == 1);
    names.constants.retain(|name, _| !binds_any && once(name));
    names.imported.sort_by_key(|(_, range)| range.start());
    names
}

/// A module's name and one of its names; relative ones end in dots.
fn joined(module: &str, name: &str) -> String {
    if module.ends_with('.') {
        format!("{module}{name}")
    } else {
        dotted(module, name)
    }
}

/// The part of a module's dotted name after `metaflow` or `flowc`; `None` for other modules.
fn inside_package(module: &str) -> Option<&str> {
    let (head, rest) = module.split_once('.').unwrap_or((module, ""));
    PACKAGES.contains(&head).then_some(rest)
}

struct Collector<'a, 'p> {
    names: Names<'a>,
    /// Functions and classes around the statement; bindings count at 0 only.
    depth: u32,
    /// Names that stand for the package or one of its modules anywhere in the file, with the dotted path.
    packages: HashMap<&'a str, String>,
    /// The package around the file.
    package: Option<&'p str>,
    /// Blocks around the statement that are not run in any case.
    blocks: u32,
    /// Something binds names that do not stand in the file.
    binds_any: bool,
    /// How often a name of the module's own scope is bound, or may be.
    bound: HashMap<&'a str, u32>,
}

impl<'a> Collector<'a, '_> {
    fn bind(&mut self, name: &'a str, meaning: Meaning<'a>) {
        if self.depth == 0 {
            self.names.bind(name, meaning);
        }
    }

    fn count(&mut self, name: &'a str) {
        *self.bound.entry(name).or_default() += 1;
    }

    /// A constant of the module; what can be changed in place is none.
    fn constant(&mut self, target: &'a Expr, value: &'a Expr) {
        let place = self.depth + self.blocks;
        let (Some(name), 0, Ok(value)) = (target.as_name_expr(), place, literal(value)) else {
            return;
        };
        if !matches!(value, Literal::List(_) | Literal::Dict(_)) {
            let from = target.range().end();
            let constant = Constant { value, from };
            self.names.constants.insert(name.id.as_str(), constant);
        }
    }

    /// Of `from ..a import b` in a module of the package `p.q` what `a` is: `p.a`.
    fn absolute(&self, level: u32, module: &str) -> String {
        if level == 0 {
            return module.to_owned();
        }
        let mut package = self.package;
        for _ in 1..level {
            package = package.and_then(|package| Some(package.rsplit_once('.')?.0));
        }
        match package {
            Some(package) => dotted(package, module),
            // Python has no answer either.
            None => ".".repeat(level as usize) + module,
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
            if self.depth == 0 {
                self.count(bound);
            }
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
            if name != "*" && self.depth == 0 {
                self.count(bound);
            }
            let Some(inside) = inside else {
                let from = self.absolute(import.level, module);
                if name != "*" {
                    self.bind(bound, Meaning::Foreign(joined(&from, name)));
                } else if self.depth == 0 {
                    self.names.foreign_stars.push(from);
                }
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

    /// `module.name = …` changes a name of another file.
    fn changed(&mut self, target: &'a Expr) {
        if target.is_attribute_expr()
            && let Meaning::Foreign(path) = self.names.resolve(target)
        {
            self.names.changed_elsewhere.push(path);
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

impl<'a> Visitor<'a> for Collector<'a, '_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        let nested = stmt.is_function_def_stmt() || stmt.is_class_def_stmt();
        if let Some(import) = stmt.as_import_stmt() {
            self.import(import);
        } else if let Some(import) = stmt.as_import_from_stmt() {
            self.import_from(import);
        } else if let Some(function) = stmt.as_function_def_stmt() {
            self.bind(function.name.as_str(), Meaning::Function);
            if self.depth == 0 {
                self.count(function.name.as_str());
            }
        } else if let Some(class) = stmt.as_class_def_stmt() {
            let at = ClassAt { class, module: 0 };
            self.bind(class.name.as_str(), Meaning::Class(at));
            if self.depth == 0 {
                self.count(class.name.as_str());
            }
        } else if let Some(global) = stmt.as_global_stmt() {
            // A function may bind it at any time.
            for name in &global.names {
                self.count(name.as_str());
                self.count(name.as_str());
            }
        } else if let Some(assign) = stmt.as_assign_stmt() {
            for target in &assign.targets {
                self.assign(target, Some(&assign.value));
                self.constant(target, &assign.value);
                self.changed(target);
            }
        } else if let Some(assign) = stmt.as_ann_assign_stmt() {
            if let Some(value) = &assign.value {
                self.assign(&assign.target, Some(value));
                self.constant(&assign.target, value);
                self.changed(&assign.target);
            }
        } else if let Some(assign) = stmt.as_aug_assign_stmt() {
            self.assign(&assign.target, None);
            self.changed(&assign.target);
        } else if let Some(each) = stmt.as_for_stmt() {
            self.assign(&each.target, None);
        }
        let perhaps = stmt.is_if_stmt()
            || stmt.is_for_stmt()
            || stmt.is_while_stmt()
            || stmt.is_try_stmt()
            || stmt.is_match_stmt();
        self.depth += u32::from(nested);
        self.blocks += u32::from(perhaps);
        visitor::walk_stmt(self, stmt);
        self.blocks -= u32::from(perhaps);
        self.depth -= u32::from(nested);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Some(name) = expr.as_name_expr()
            && self.depth == 0
            && name.ctx != ExprContext::Load
        {
            self.count(name.id.as_str());
        }
        if let Some(call) = expr.as_call_expr()
            && let Some(name) = call.func.as_name_expr()
            && self.depth == 0
        {
            self.binds_any |= ["exec", "globals", "locals", "vars"].contains(&name.id.as_str());
        }
        if let Some((path, range)) = self.module_attribute(expr) {
            self.names.imported.push((path, range));
            return;
        }
        visitor::walk_expr(self, expr);
    }
}

impl Collector<'_, '_> {
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
