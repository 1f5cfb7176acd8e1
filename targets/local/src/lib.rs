//! Runs a flow on this machine.

pub mod fork;
pub mod process;
pub mod ready;
pub mod schedule;
pub mod zygote;
