//! What a name in the file stands for, as far as imports and definitions tell.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::{Expr, Stmt, StmtClassDef};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::{bindings, known};
use crate::ir::flow::Literal;

/// What a name or dotted name stands for.
#[derive(Clone, Debug)]
pub(super) enum Meaning<'a> {
    /// Exported by `metaflow` or `flowc` under this dotted name; empty for the package itself.
    Metaflow(String),
    /// Imported from somewhere else under this dotted name.
    Foreign(String),
    /// A class of this file, or of another one of the tree.
    Class(ClassAt<'a>),
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

impl<'a> Meaning<'a> {
    /// The class, if it is one of the tree.
    pub(super) fn class(self) -> Option<ClassAt<'a>> {
        if let Self::Class(at) = self {
            Some(at)
        } else {
            None
        }
    }
}

impl Meaning<'_> {
    /// Whether both certainly stand for the same.
    fn is_same(&self, other: &Meaning<'_>) -> bool {
        match (self, other) {
            (Self::Metaflow(one), Meaning::Metaflow(two))
            | (Self::Foreign(one), Meaning::Foreign(two)) => one == two,
            (Self::Class(one), Meaning::Class(two)) => one.key() == two.key(),
            _ => false,
        }
    }

    /// The name under which Metaflow exports it.
    pub(super) fn exported(&self) -> Option<&str> {
        if let Self::Metaflow(path) = self {
            Some(path)
        } else {
            None
        }
    }
}

/// A class and the file that holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClassAt<'a> {
    /// The class.
    pub(super) class: &'a StmtClassDef,
    /// Place of its module in the library; 0 is the flow's file.
    pub(super) module: usize,
}

impl ClassAt<'_> {
    /// What tells it from all other classes, in source order.
    pub(super) fn key(&self) -> (usize, TextSize) {
        (self.module, self.class.range().start())
    }

    /// The same class, said to be of another module.
    pub(super) fn inside(self, module: usize) -> Self {
        Self { module, ..self }
    }
}

/// What a dotted path of another module stands for.
#[derive(Clone, Debug)]
pub(super) struct Linked<'a> {
    meaning: Option<Meaning<'a>>,
    /// The value of a constant.
    pub(super) value: Option<Literal>,
    /// Path of the file that was expected to bind the name and does not.
    pub(super) missing_in: Option<String>,
}

impl<'a> Linked<'a> {
    /// Something with a meaning.
    pub(super) fn meaning(meaning: Meaning<'a>) -> Self {
        Self {
            meaning: Some(meaning),
            value: None,
            missing_in: None,
        }
    }

    /// A constant.
    pub(super) fn value(value: Literal) -> Self {
        Self {
            meaning: None,
            value: Some(value),
            missing_in: None,
        }
    }

    /// A name that the file at a path does not have.
    pub(super) fn missing(path: String) -> Self {
        Self {
            meaning: None,
            value: None,
            missing_in: Some(path),
        }
    }
}

/// A value that a name of the module always has.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    /// The value.
    pub(super) value: Literal,
    /// Where it is bound; before that the name means nothing.
    pub(super) from: TextSize,
}

/// The names of one file.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// Place of the file in the library.
    pub(super) module: usize,
    bindings: HashMap<&'a str, Meaning<'a>>,
    /// Names that are bound to several things.
    pub(super) rebound: HashSet<&'a str>,
    /// Plain values of names that are bound once.
    pub(super) constants: HashMap<&'a str, Constant>,
    /// What dotted paths of other modules of the tree stand for.
    pub(super) links: HashMap<String, Linked<'a>>,
    /// Modules from which everything is imported.
    pub(super) foreign_stars: Vec<String>,
    /// Dotted paths of names in other modules that this file assigns to.
    pub(super) changed_elsewhere: Vec<String>,
    /// Whether there is a `from metaflow import *`.
    pub(super) star: bool,
    /// Every use of an exported name, in source order.
    pub(super) imported: Vec<(String, TextRange)>,
    /// Every `from metaflow import *`.
    pub(super) stars: Vec<TextRange>,
}

impl<'a> Names<'a> {
    /// Collects what a file binds; `package` is the one around it.
    pub(super) fn collect(body: &'a [Stmt], package: Option<&str>) -> Self {
        bindings::collect(body, package)
    }

    /// What a plain name is bound to in this file.
    pub(super) fn bound(&self, name: &str) -> Option<&Meaning<'a>> {
        self.bindings.get(name)
    }

    /// The value of a name that is bound once, to a literal.
    pub(super) fn value(&self, name: &str) -> Option<Literal> {
        Some(self.constants.get(name)?.value.clone())
    }

    /// Paths in other modules that a path below this module may lead to.
    pub(super) fn leads(&self, path: &str) -> Vec<String> {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        match self.bindings.get(name) {
            Some(Meaning::Foreign(onward)) => vec![dotted(onward, rest)],
            Some(_) => Vec::new(),
            None => {
                let stars = self.foreign_stars.iter();
                stars.map(|module| format!("{module}.{path}")).collect()
            }
        }
    }

    /// The value of a name or dotted name that stands for a constant of a module.
    pub(super) fn constant(&self, expr: &'a Expr) -> Option<Literal> {
        if let Some(name) = expr.as_name_expr()
            && let Some(constant) = self.constants.get(name.id.as_str())
        {
            return (constant.from <= expr.range().start()).then(|| constant.value.clone());
        }
        self.linked(expr)?.value.clone()
    }

    /// What an expression stands for at the top of the module.
    pub(super) fn resolve(&self, expr: &'a Expr) -> Meaning<'a> {
        let linked = self.linked(expr);
        if let Some(meaning) = linked.and_then(|linked| linked.meaning.clone()) {
            return meaning;
        }
        self.resolve_here(expr)
    }

    /// What is known of an expression from other files.
    pub(super) fn linked(&self, expr: &'a Expr) -> Option<&Linked<'a>> {
        match self.resolve_here(expr) {
            Meaning::Foreign(path) => self.links.get(&path),
            Meaning::Unbound(name) => {
                let paths = self.foreign_stars.iter().rev();
                let mut linked =
                    paths.filter_map(|module| self.links.get(&format!("{module}.{name}")));
                linked.find(|linked| linked.missing_in.is_none())
            }
            Meaning::Metaflow(_)
            | Meaning::Class(_)
            | Meaning::Function
            | Meaning::Value
            | Meaning::Bound
            | Meaning::Expression => None,
        }
    }

    /// The class of another file that a name of this one stands for.
    pub(super) fn elsewhere(&self, name: &'a str) -> Option<ClassAt<'a>> {
        let Meaning::Foreign(path) = self.resolve_name(name) else {
            return None;
        };
        match &self.links.get(&path)?.meaning {
            Some(Meaning::Class(class)) => Some(*class),
            _ => None,
        }
    }

    /// As [`Names::resolve`], by this file alone.
    fn resolve_here(&self, expr: &'a Expr) -> Meaning<'a> {
        if let Some(name) = expr.as_name_expr() {
            return self.resolve_name(name.id.as_str());
        }
        let Some(attribute) = expr.as_attribute_expr() else {
            return Meaning::Expression;
        };
        let attr = attribute.attr.as_str();
        match self.resolve_here(&attribute.value) {
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

    /// What a plain name stands for at the top of the module, by this file alone.
    pub(super) fn resolve_name(&self, name: &'a str) -> Meaning<'a> {
        match self.bindings.get(name) {
            Some(Meaning::Class(class)) => return Meaning::Class(class.inside(self.module)),
            Some(meaning) => return meaning.clone(),
            None => {}
        }
        if self.star && known::is_exported(name) {
            return Meaning::Metaflow(name.to_owned());
        }
        Meaning::Unbound(name)
    }

    /// Binds a name; a later binding replaces the earlier one.
    pub(super) fn bind(&mut self, name: &'a str, meaning: Meaning<'a>) {
        let known = self.bindings.get(name);
        if known.is_some_and(|known| !known.is_same(&meaning)) {
            self.rebound.insert(name);
        }
        self.bindings.insert(name, meaning);
    }
}

/// `a` and `b` as `a.b`; `b` alone if `a` is empty.
pub(super) fn dotted(path: &str, attr: &str) -> String {
    if path.is_empty() || attr.is_empty() {
        format!("{path}{attr}")
    } else {
        format!("{path}.{attr}")
    }
}
