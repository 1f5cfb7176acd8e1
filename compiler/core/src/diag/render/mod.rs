//! Forms in which findings are shown.
//!
//! Each gives the same facts: for people on a terminal, for programs, and for the annotations of a GitHub workflow.

mod github;
mod json;
mod text;

pub use github::github;
pub use json::json;
pub use text::{Colour, text};

use super::Severity;

/// As shown.
fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests;
