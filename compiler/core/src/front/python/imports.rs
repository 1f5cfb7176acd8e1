//! Which modules a file imports, wherever in it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever is no import holds imports or does not matter"
)]

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Identifier, Stmt, StmtImportFrom};
use ruff_text_size::Ranged;

use ruff_python_stdlib::sys;

use super::parse::{Source, parse};
use crate::source::{FileId, SourceTree, Span};

/// Python 3.x versions that flowc supports.
const VERSIONS: std::ops::RangeInclusive<u8> = 8..=13;

/// A module that is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its dotted name, absolute.
    pub module: String,
    /// What is taken out of it, each an attribute or a module of its own.
    pub names: Vec<String>,
    /// The statement or call.
    pub span: Span,
}

/// The modules that a file imports, in its order: by statements, also those that run only at times, and by
/// `importlib.import_module` and `__import__` with a name that is written out.
///
/// What stands under `if TYPE_CHECKING` never runs and is left out, and so is a relative import that leads out of the tree.
/// A file with syntax errors is read as far as it can be.
pub fn imports(tree: &SourceTree, file: FileId) -> Vec<Import> {
    let source = Source::new(tree, file);
    let (module, ..) = parse(&source);
    let mut finder = Finder {
        source,
        package: package(source.path()),
        found: Vec::new(),
    };
    finder.visit_body(&module.body);
    finder.found
}

/// Whether every Python, or a newer or older one among those that flowc supports, brings the module along.
pub fn is_in_standard_library(module: &str) -> bool {
    VERSIONS
        .into_iter()
        .any(|minor| sys::is_known_standard_library(minor, module))
}

/// Names of the packages around a file, by its path.
fn package(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    parts
}

struct Finder<'a> {
    source: Source<'a>,
    package: Vec<&'a str>,
    found: Vec<Import>,
}

impl Finder<'_> {
    fn push(&mut self, module: String, names: Vec<String>, at: &impl Ranged) {
        let span = self.source.span(at);
        self.found.push(Import {
            module,
            names,
            span,
        });
    }

    fn from(&mut self, import: &StmtImportFrom) {
        let mut parts = Vec::new();
        if let Some(outer) = (import.level as usize).checked_sub(1) {
            // A file outside of any package cannot import relatively, and says so when it runs.
            let kept = self.package.len().saturating_sub(outer);
            if kept == 0 {
                return;
            }
            parts.extend(&self.package[..kept]);
        }
        parts.extend(import.module.as_ref().map(Identifier::as_str));
        if parts.is_empty() {
            return;
        }
        let names = import.names.iter().map(|name| name.name.to_string());
        let names = names.filter(|name| name != "*").collect();
        self.push(parts.join("."), names, import);
    }

    fn call(&mut self, call: &ExprCall) {
        let name = match call.func.as_ref() {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return,
        };
        let module = call.arguments.args.first();
        let module = module.and_then(|first| first.as_string_literal_expr());
        if let Some(module) = module
            && matches!(name, "import_module" | "__import__")
        {
            let module = module.value.to_str();
            if !module.is_empty() && !module.starts_with('.') {
                self.push(module.to_owned(), Vec::new(), call);
            }
        }
    }
}

impl<'a> Visitor<'a> for Finder<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(import) => {
                for name in &import.names {
                    self.push(name.name.to_string(), Vec::new(), import);
                }
            }
            Stmt::ImportFrom(import) => self.from(import),
            Stmt::If(condition) if is_type_checking(&condition.test) => {
                for clause in &condition.elif_else_clauses {
                    self.visit_elif_else_clause(clause);
                }
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr {
            self.call(call);
        }
        visitor::walk_expr(self, expr);
    }
}

/// `TYPE_CHECKING` or `typing.TYPE_CHECKING`: what stands below is for type checkers and never runs.
pub(super) fn is_type_checking(test: &Expr) -> bool {
    let name = match test {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => "",
    };
    name == "TYPE_CHECKING"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Vec<String> {
        let mut tree = SourceTree::default();
        let file = tree.add(path, text);
        let found = imports(&tree, file);
        let shown = found
            .into_iter()
            .map(|import| match import.names.as_slice() {
                [] => import.module,
                names => format!("{}: {}", import.module, names.join(" ")),
            });
        shown.collect()
    }

    #[test]
    fn imports_are_found_wherever_they_stand() {
        let text = "
import os, a.b as c
from d import e, f as g
from h import *
if TYPE_CHECKING:
    import no
else:
    import i
class F:
    import j
    def m(self):
        try:
            from k.l import m
        except ImportError:
            import n
        importlib.import_module('o.p')
        __import__(name)
        self.x = [__import__('q')]
from . import no
";
        assert_eq!(
            of("flow.py", text),
            [
                "os", "a.b", "d: e f", "h", "i", "j", "k.l: m", "n", "o.p", "q"
            ]
        );
    }

    #[test]
    fn relative_imports_count_from_the_package() {
        let text = "from . import a\nfrom .b import c\nfrom .. import d\nfrom ..e.f import *\nfrom ... import no\n";
        assert_eq!(
            of("x/y/z.py", text),
            ["x.y: a", "x.y.b: c", "x: d", "x.e.f"]
        );
        assert_eq!(of("x/y/__init__.py", "from .b import c"), ["x.y.b: c"]);
    }
}
