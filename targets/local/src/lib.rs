//! Runs a flow on this machine.

pub mod ready;
pub mod schedule;
