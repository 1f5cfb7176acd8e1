//! Runs a flow on this machine.
//!
//! The same plan, task library and commit protocol as on an orchestrator; what is different is who decides when a task runs.
//!
//! - [`ready`] unrolls the graph: which tasks may start.
//! - [`schedule`] starts them, a few at once, retries them, and stops when one failed or the user says so.
//! - [`fork`] gives each task a process: a fork of a warm interpreter (`zygote`) that has imported what the flow file imports.
//!   Each child executes the flow file anew, so a task is what it would be in a fresh interpreter.
//! - [`place`], [`settings`] and [`interpreter`] say where data goes and which Python runs, as Metaflow would.
//! - [`resume`] takes over what an earlier run has left, before anything runs.
//! - [`kept`] looks whether what a run has left is still there.
//! - [`run`] puts these together, and Metaflow's local metadata tree is written as the run goes.
//!
//! `flow, split, foreach, join` need no encoding here: a task's name is its place in the unrolled graph,
//! and the counts and choices that tasks commit say how it unrolls.

pub mod fork;
pub mod interpreter;
pub mod kept;
mod observe;
pub mod place;
pub mod ready;
pub mod report;
pub mod resume;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod zygote;
