//! What emitters write and the shim reads: names of environment variables, task identity, `plan.json`, exit codes,
//! and the conversation between shim and harness.
//!
//! Everything that crosses a process boundary is defined here and nowhere else.

pub mod choice;
pub mod conversation;
pub mod environment;
pub mod exit;
pub mod flow_ir;
pub mod identity;
pub mod json_text;
pub mod known;
pub mod manifest;
pub mod package;
pub mod split;
pub mod trigger;

/// The protocol that this build speaks; in `plan.json`, in [`environment::PROTOCOL`] and in the harness's `hello`.
pub const PROTOCOL: u32 = 1;

/// The oldest protocol that this build's shim still runs.
pub const PROTOCOL_MIN: u32 = 1;
