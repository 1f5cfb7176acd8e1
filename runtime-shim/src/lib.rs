//! All that runs a task: the store, the commit protocol, the conversation with the harness, logs and signals.
//!
//! The binary `flowc-shim` is a thin wrapper around [`task::run`], and the local runner calls the same function.

pub mod launch;
pub mod metadata;
pub mod store;
pub mod task;
