//! Runs a flow on this machine.

pub mod fork;
pub mod interpreter;
pub mod place;
pub mod ready;
pub mod schedule;
pub mod zygote;
