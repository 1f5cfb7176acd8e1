//! The two levels of the intermediate representation.
//!
//! [`flow`] is what the author wrote, with spans and open attributes.
//! [`plan`] is what back ends print: checked, resolved, with defaults filled in.

pub mod arena;
pub mod dump;
pub mod flow;
mod invariants;
pub mod plan;
pub mod project;
pub mod trigger;
