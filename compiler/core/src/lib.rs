//! The compiler's core: sources, diagnostics, the two levels of IR, the front ends, the checks and the lowering.
//!
//! Everything here is pure: no I/O, no environment, no clock, no printing.
//! `clippy.toml` beside this crate's manifest enforces it.

pub mod check;
pub mod diag;
pub mod front;
pub mod ir;
pub mod lower;
pub mod python_json;
pub mod show;
pub mod source;
