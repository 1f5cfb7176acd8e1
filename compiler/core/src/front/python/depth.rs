//! How deeply a syntax tree is nested.
//!
//! The parser grows its stack as needed, so a hostile file can yield a tree that no other recursion survives.
//! Everything behind this measure may recurse without care.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ModModule, Pattern, Stmt};
use ruff_text_size::{Ranged, TextRange};

/// Deepest nesting that is read.
/// The usual interpreter stops at 200 brackets and 100 indentations; the rest is for chains of operators, which it allows to be longer.
pub(super) const DEPTH_MAX: usize = 500;

/// Stack that one level takes at most, when the tree is walked or dropped.
const LEVEL_BYTES: usize = 4096;

/// Gives the tree back if it is not too deep, else the first place where it is.
pub(super) fn measured(module: ModModule) -> Result<ModModule, TextRange> {
    let mut depth = Depth::default();
    depth.visit_body(&module.body);
    let Some(range) = depth.beyond else {
        return Ok(module);
    };
    stacker::grow(depth.deepest * LEVEL_BYTES, || drop(module));
    Err(range)
}

#[derive(Default)]
struct Depth {
    now: usize,
    deepest: usize,
    beyond: Option<TextRange>,
}

impl Depth {
    fn enter(&mut self, range: TextRange, walk: impl FnOnce(&mut Self)) {
        self.now += 1;
        self.deepest = self.deepest.max(self.now);
        if self.now > DEPTH_MAX && self.beyond.is_none() {
            self.beyond = Some(range);
        }
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || walk(self));
        self.now -= 1;
    }
}

impl<'a> Visitor<'a> for Depth {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.enter(stmt.range(), |depth| visitor::walk_stmt(depth, stmt));
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.enter(expr.range(), |depth| visitor::walk_expr(depth, expr));
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        self.enter(pattern.range(), |depth| {
            visitor::walk_pattern(depth, pattern);
        });
    }
}
