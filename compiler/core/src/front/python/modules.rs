//! The files that a flow is spread over: which of them are read, and what a name of one stands for in another.
//!
//! Python finds an imported module below the folder of the flow file first, and so does this.
//! Only files that may matter are read: those whose names stand among the bases, decorators and values of a class.

use std::collections::{BTreeSet, HashMap};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ModModule, Stmt, StmtClassDef};
use ruff_text_size::TextRange;

use super::classes;
use super::names::{Linked, Meaning, Names};
use super::parse::{Source, parse};
use crate::diag::Diagnostics;
use crate::source::{FileId, SourceTree};

/// Files read at most: more are not a flow's bases, but a mistake.
const FILES_MAX: usize = 200;

/// How often an import may lead to another import.
const IMPORTS_MAX: u32 = 20;

/// Where files other than the flow's come from.
pub(super) trait Files {
    /// What is there already.
    fn tree(&self) -> &SourceTree;
    /// The file at a path below the root, if there is one.
    fn find(&mut self, path: &str) -> Option<FileId>;
}

/// Only the files that the tree holds.
pub(super) struct Held<'t>(pub(super) &'t SourceTree);

impl Files for Held<'_> {
    fn tree(&self) -> &SourceTree {
        self.0
    }

    fn find(&mut self, path: &str) -> Option<FileId> {
        let mut files = self.0.files();
        files.find(|(_, file)| file.path == path).map(|(id, _)| id)
    }
}

/// Also files that are fetched as they are needed, which join the tree.
pub(super) struct Fetched<'t> {
    pub(super) tree: &'t mut SourceTree,
    pub(super) fetch: &'t mut dyn FnMut(&str) -> Option<String>,
}

impl Files for Fetched<'_> {
    fn tree(&self) -> &SourceTree {
        self.tree
    }

    fn find(&mut self, path: &str) -> Option<FileId> {
        if let Some(held) = Held(self.tree).find(path) {
            return Some(held);
        }
        let text = (self.fetch)(path)?;
        Some(self.tree.add(path, text))
    }
}

/// A file that was read.
pub(super) struct Parsed {
    /// Its place in the tree.
    pub(super) file: FileId,
    /// What it holds.
    pub(super) module: ModModule,
    /// Where it has syntax errors.
    pub(super) broken: Vec<TextRange>,
    /// Its syntax errors.
    pub(super) found: Diagnostics,
    /// Dotted name of the package around it; `None` outside of any, where relative imports mean nothing.
    package: Option<String>,
}

/// All files that were read, the flow's first.
pub(super) struct Library {
    /// In the order in which they were met.
    pub(super) files: Vec<Parsed>,
    /// By dotted name: the module's place in `files`; `None` if there is no such file.
    modules: HashMap<String, Option<usize>>,
}

/// A module of a [`Library`] with its names.
pub(super) struct Module<'a> {
    /// Its text.
    pub(super) source: Source<'a>,
    /// Its syntax tree.
    pub(super) tree: &'a ModModule,
    /// What its names stand for, in this file and in the others.
    pub(super) names: Names<'a>,
    /// Where it has syntax errors.
    pub(super) broken: &'a [TextRange],
}

impl Library {
    /// Reads the flow's file, those at `paths`, and those that their classes lead to.
    pub(super) fn gather<'p>(
        files: &mut dyn Files,
        flow: FileId,
        paths: impl Iterator<Item = &'p str>,
    ) -> Self {
        let mut library = Self {
            files: Vec::new(),
            modules: HashMap::new(),
        };
        library.read(files.tree(), flow, None);
        let mut next = 0;
        library.follow_all(files, &mut next);
        for path in paths {
            let module = path.strip_suffix("/__init__.py");
            let module = module.or_else(|| path.strip_suffix(".py")).unwrap_or(path);
            library.load(files, &module.replace('/', "."));
        }
        library.follow_all(files, &mut next);
        library
    }

    /// Reads what the files lead to, from that at `next` on.
    fn follow_all(&mut self, files: &mut dyn Files, next: &mut usize) {
        while let Some(file) = self.files.get(*next) {
            for path in foreign(file) {
                self.chase(files, &path, 0);
            }
            *next += 1;
        }
    }

    fn read(&mut self, tree: &SourceTree, file: FileId, package: Option<String>) -> usize {
        let (module, broken, found) = parse(&Source::new(tree, file));
        self.files.push(Parsed {
            file,
            module,
            broken,
            found,
            package,
        });
        self.files.len() - 1
    }

    /// Reads the module that a dotted path leads through, and those from which it takes the name.
    fn chase(&mut self, files: &mut dyn Files, path: &str, imports: u32) {
        if imports == IMPORTS_MAX {
            return;
        }
        let Some((at, rest)) = self.enter(files, path) else {
            return;
        };
        let file = &self.files[at];
        let onward = Names::collect(&file.module.body, file.package.as_deref()).leads(rest);
        for path in onward {
            self.chase(files, &path, imports + 1);
        }
    }

    /// The module of a dotted name, read if there is such a file.
    fn load(&mut self, files: &mut dyn Files, name: &str) -> Option<usize> {
        if let Some(known) = self.modules.get(name) {
            return *known;
        }
        let path = name.replace('.', "/");
        let outer = name.rsplit_once('.').map(|(outer, _)| outer.to_owned());
        let mut found = None;
        if self.files.len() < FILES_MAX {
            // A package wins over a module of the same name.
            found = files
                .find(&format!("{path}/__init__.py"))
                .map(|file| (file, Some(name.to_owned())))
                .or_else(|| files.find(&format!("{path}.py")).map(|file| (file, outer)));
        }
        let at = found.map(|(file, package)| {
            let again = self.files.iter().position(|known| known.file == file);
            again.unwrap_or_else(|| self.read(files.tree(), file, package))
        });
        self.modules.insert(name.to_owned(), at);
        at
    }

    /// The innermost module on a dotted path, read if need be, and what follows its name.
    fn enter<'p>(&mut self, files: &mut dyn Files, path: &'p str) -> Option<(usize, &'p str)> {
        for end in ends(path) {
            self.load(files, &path[..end]);
        }
        self.known(path)
    }

    /// Every module with its names, those that are imported from each other resolved.
    pub(super) fn link<'a>(&'a self, tree: &'a SourceTree) -> Vec<Module<'a>> {
        let mut modules: Vec<Module<'a>> = self
            .files
            .iter()
            .map(|file| Module {
                source: Source::new(tree, file.file),
                tree: &file.module,
                names: Names::collect(&file.module.body, file.package.as_deref()),
                broken: &file.broken,
            })
            .collect();
        let changed: BTreeSet<String> = modules
            .iter()
            .flat_map(|module| module.names.changed_elsewhere.iter().cloned())
            .collect();
        for (at, file) in self.files.iter().enumerate() {
            let links: Vec<(String, Linked<'a>)> = foreign(file)
                .into_iter()
                .filter_map(|path| {
                    let mut linked = self.follow(&modules, &path, 0)?;
                    if changed.contains(&path) {
                        linked.value = None;
                    }
                    Some((path, linked))
                })
                .collect();
            modules[at].names.links = links.into_iter().collect();
        }
        for (at, module) in modules.iter_mut().enumerate() {
            module.names.module = at;
        }
        modules
    }

    /// What a dotted path of another module stands for; `None` if no file of the tree tells.
    fn follow<'a>(
        &'a self,
        modules: &[Module<'a>],
        path: &str,
        imports: u32,
    ) -> Option<Linked<'a>> {
        if imports == IMPORTS_MAX {
            return None;
        }
        let (at, rest) = self.known(path)?;
        let names = &modules[at].names;
        let (name, attributes) = rest.split_once('.').unwrap_or((rest, ""));
        let missing = || Linked::missing(modules[at].source.path().to_owned());
        match names.bound(name) {
            Some(Meaning::Metaflow(inside)) => Some(Linked::meaning(Meaning::Metaflow(
                super::names::dotted(inside, attributes),
            ))),
            Some(Meaning::Foreign(onward)) => {
                let onward = super::names::dotted(onward, attributes);
                let linked = self.follow(modules, &onward, imports + 1);
                Some(linked.unwrap_or_else(|| Linked::meaning(Meaning::Foreign(onward))))
            }
            Some(Meaning::Class(class)) if attributes.is_empty() => {
                let class = class.inside(at);
                Some(Linked::meaning(Meaning::Class(class)))
            }
            Some(Meaning::Value) if attributes.is_empty() => names.value(name).map(Linked::value),
            Some(
                Meaning::Class(_)
                | Meaning::Function
                | Meaning::Value
                | Meaning::Bound
                | Meaning::Unbound(_)
                | Meaning::Expression,
            ) => None,
            None => {
                let mut stars = names.foreign_stars.iter().rev();
                let star = |module: &String| {
                    let onward = format!("{module}.{rest}");
                    self.follow(modules, &onward, imports + 1)
                        .filter(|linked| linked.missing_in.is_none())
                };
                let hidden = !names.foreign_stars.is_empty() || names.star;
                let linked = stars.find_map(star);
                linked.or_else(|| (!hidden && !rest.is_empty()).then(missing))
            }
        }
    }

    /// The innermost module on a dotted path that was read; a folder may lack `__init__.py`.
    fn known<'p>(&self, path: &'p str) -> Option<(usize, &'p str)> {
        let at = |end: usize| self.modules.get(&path[..end]).copied().flatten();
        let found = ends(path).filter_map(|end| Some((at(end)?, end))).last();
        found.map(|(at, end)| (at, path.get(end + 1..).unwrap_or_default()))
    }
}

/// Where the dotted names end that a dotted path starts with, the path itself included.
fn ends(path: &str) -> impl Iterator<Item = usize> {
    let dots = path.match_indices('.').map(|(at, _)| at);
    dots.chain(std::iter::once(path.len()))
}

/// Dotted paths of other modules that stand among the bases, decorators and values of the file's classes.
fn foreign(file: &Parsed) -> BTreeSet<String> {
    let names = Names::collect(&file.module.body, file.package.as_deref());
    let mut finder = Finder {
        names: &names,
        found: BTreeSet::new(),
    };
    for class in classes::all(&file.module) {
        finder.class(class);
    }
    for called in classes::calls(&file.module) {
        finder.name(called);
    }
    finder.found
}

struct Finder<'n, 'a> {
    names: &'n Names<'a>,
    found: BTreeSet<String>,
}

impl<'a> Finder<'_, 'a> {
    fn class(&mut self, class: &'a StmtClassDef) {
        for node in &class.decorator_list {
            self.visit_decorator(node);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        for stmt in &class.body {
            if let Some(method) = stmt.as_function_def_stmt() {
                for node in &method.decorator_list {
                    self.visit_decorator(node);
                }
            } else if !stmt.is_class_def_stmt() {
                self.visit_stmt(stmt);
            }
        }
    }

    fn name(&mut self, name: &'a str) {
        match self.names.resolve_name(name) {
            Meaning::Foreign(path) => drop(self.found.insert(path)),
            Meaning::Unbound(name) => {
                for module in &self.names.foreign_stars {
                    self.found.insert(format!("{module}.{name}"));
                }
            }
            Meaning::Metaflow(_)
            | Meaning::Class(_)
            | Meaning::Function
            | Meaning::Value
            | Meaning::Bound
            | Meaning::Expression => {}
        }
    }
}

impl<'a> Visitor<'a> for Finder<'_, 'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if !stmt.is_function_def_stmt() && !stmt.is_class_def_stmt() {
            visitor::walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Some(name) = expr.as_name_expr() {
            self.name(name.id.as_str());
        } else if expr.is_attribute_expr()
            && let Meaning::Foreign(path) = self.names.resolve(expr)
        {
            self.found.insert(path);
        } else {
            visitor::walk_expr(self, expr);
        }
    }
}
