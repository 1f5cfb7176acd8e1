//! Which imports of a flow file a warm interpreter may do before it forks.
//!
//! Doing them early must change nothing, so only the imports at the head of the file count: those that run before the first
//! statement that could influence a later one (a call, a write to `os.environ`, a class body). They keep their order.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever is not known to be harmless ends the list"
)]

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, Stmt, StmtImport, StmtImportFrom};

use super::imports::is_type_checking;
use super::parse::{Source, parse};
use crate::source::{FileId, SourceTree};

/// The imports at the head of a flow file, in order: `numpy`, `sklearn.datasets`, and `sklearn:datasets` for `from sklearn import datasets`.
///
/// What the harness itself provides is left out. The caller ends the list at the first module of the source tree,
/// since that is the user's code and may do anything.
pub fn preload(tree: &SourceTree, file: FileId) -> Vec<String> {
    let (module, ..) = parse(&Source::new(tree, file));
    let mut modules = Vec::new();
    for statement in &module.body {
        if !read(statement, &mut modules) {
            break;
        }
    }
    modules
}

/// Takes the imports of a statement; `false` if what follows may depend on what it does.
fn read(statement: &Stmt, modules: &mut Vec<String>) -> bool {
    match statement {
        Stmt::Import(import) => take_import(import, modules),
        Stmt::ImportFrom(import) => take_from(import, modules),
        // An optional import: if it fails, it fails in the task too.
        Stmt::Try(optional) if optional.orelse.is_empty() && optional.finalbody.is_empty() => {
            let [only] = optional.body.as_slice() else {
                return false;
            };
            let handlers = optional
                .handlers
                .iter()
                .filter_map(|handler| handler.as_except_handler());
            matches!(only, Stmt::Import(_) | Stmt::ImportFrom(_))
                && handlers.flat_map(|handler| &handler.body).all(is_inert)
                && read(only, modules)
        }
        other => is_inert(other),
    }
}

fn take_import(import: &StmtImport, modules: &mut Vec<String>) -> bool {
    for name in &import.names {
        push(name.name.as_str().to_owned(), modules);
    }
    true
}

fn take_from(import: &StmtImportFrom, modules: &mut Vec<String>) -> bool {
    let Some(module) = import.module.as_ref().filter(|_| import.level == 0) else {
        // A relative import is the user's own code.
        return false;
    };
    for name in &import.names {
        push(
            match name.name.as_str() {
                "*" => module.to_string(),
                name => format!("{module}:{name}"),
            },
            modules,
        );
    }
    true
}

fn push(entry: String, modules: &mut Vec<String>) {
    let top = entry.split(['.', ':']).next().unwrap_or_default();
    if !matches!(top, "metaflow" | "flowc" | "__future__") && !modules.contains(&entry) {
        modules.push(entry);
    }
}

/// Whether a statement only binds names or does nothing.
fn is_inert(statement: &Stmt) -> bool {
    match statement {
        Stmt::Pass(_) => true,
        Stmt::Expr(expression) => does_nothing(&expression.value),
        Stmt::Assign(assign) => {
            assign.targets.iter().all(Expr::is_name_expr) && does_nothing(&assign.value)
        }
        Stmt::AnnAssign(assign) => {
            assign.target.is_name_expr()
                && does_nothing(&assign.annotation)
                && assign.value.as_deref().is_none_or(does_nothing)
        }
        Stmt::FunctionDef(function) => {
            function.decorator_list.is_empty() && defaults_do_nothing(function)
        }
        Stmt::If(condition) => {
            is_type_checking(&condition.test) && condition.elif_else_clauses.is_empty()
        }
        _ => false,
    }
}

fn defaults_do_nothing(function: &ruff_python_ast::StmtFunctionDef) -> bool {
    function.parameters.iter().all(|parameter| {
        parameter.default().is_none_or(does_nothing)
            && parameter.annotation().is_none_or(does_nothing)
    })
}

/// Whether evaluating an expression calls nothing.
fn does_nothing(expression: &Expr) -> bool {
    struct Calls(bool);
    impl<'a> Visitor<'a> for Calls {
        fn visit_expr(&mut self, expression: &'a Expr) {
            let active = expression.is_call_expr()
                || expression.is_await_expr()
                || expression.is_yield_expr()
                || expression.is_yield_from_expr()
                || expression.is_named_expr();
            self.0 |= active;
            walk_expr(self, expression);
        }
    }
    let mut calls = Calls(false);
    calls.visit_expr(expression);
    !calls.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(text: &str) -> Vec<String> {
        let mut tree = SourceTree::default();
        let file = tree.add("flow.py", text);
        preload(&tree, file)
    }

    #[test]
    fn imports_keep_their_order_and_ours_are_left_out() {
        let text = "\
'''A flow.'''
from __future__ import annotations
import os, sys
from metaflow import FlowSpec, step
import numpy as np
import sklearn.linear_model
from sklearn import datasets, svm as s
from math import *
";
        assert_eq!(
            modules(text),
            [
                "os",
                "sys",
                "numpy",
                "sklearn.linear_model",
                "sklearn:datasets",
                "sklearn:svm",
                "math"
            ]
        );
    }

    #[test]
    fn whatever_configures_ends_the_list() {
        for configures in [
            "os.environ['OMP_NUM_THREADS'] = '1'",
            "os.environ.setdefault('A', 'b')",
            "matplotlib.use('Agg')",
            "X = compute()",
            "np.seterr = None",
            "class A: pass",
            "@cache\ndef f(): pass",
            "def f(x=compute()): pass",
            "if FAST: import fast",
            "from . import mine",
            "for i in y: pass",
            "del os.environ['A']",
            "try:\n  import a\n  import b\nexcept ImportError: pass",
            "try:\n  import a\nexcept ImportError: install()",
        ] {
            let text = format!("import os\n{configures}\nimport numpy\n");
            assert_eq!(modules(&text), ["os"], "{configures}");
        }
    }

    #[test]
    fn what_only_binds_names_does_not() {
        for binds in [
            "'''text'''",
            "N = 3",
            "PATHS = ['a', *OTHERS]",
            "N: int = 3",
            "def f(x=1): compute()",
            "pass",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import pandas",
        ] {
            let text = format!("{binds}\nimport numpy\n");
            assert!(modules(&text).contains(&"numpy".to_owned()), "{binds}");
            assert!(!modules(&text).contains(&"pandas".to_owned()), "{binds}");
        }
    }

    #[test]
    fn an_optional_import_is_tried() {
        let text = "try:\n    import torch\nexcept ImportError:\n    torch = None\nimport numpy\n";
        assert_eq!(modules(text), ["torch", "numpy"]);
    }

    #[test]
    fn a_broken_file_gives_what_comes_before() {
        assert_eq!(modules("import os\nimport\nclass"), ["os"]);
    }
}
