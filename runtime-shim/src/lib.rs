//! All that runs a task: the store, the commit protocol, the conversation with the harness, logs and signals.
//!
//! The binary `flowc-shim` is a thin wrapper around [`task::run`], and the local runner calls the same function.

mod attempt;
pub mod cas;
mod claim;
mod codec;
pub mod commit;
mod connections;
mod crash;
mod damage;
pub mod digest;
mod elsewhere;
mod ending;
pub mod error;
pub mod gang;
mod group;
pub mod harness;
pub mod held;
pub mod history;
pub mod hooks;
pub mod inputs;
mod iterations;
pub mod launch;
mod logs;
pub mod metadata;
mod outputs;
pub mod package;
pub mod report;
pub mod resume;
pub mod secrets;
mod service;
mod session;
pub mod signals;
mod silence;
pub mod store;
pub mod task;
pub mod triggers;
mod wire;
