//! What all targets share: the bundle, the options, profiles, names, the code package, the table of capabilities.
//!
//! Pure like the core: texts in, texts out.
//!
//! - [`profile`] reads `flowc.toml`; what it lets through holds no character that an orchestrator's templating knows.
//! - [`capabilities`] says what a target refuses, by code and place.
//! - [`asked`] reads the arguments of `@batch` and `@kubernetes`, [`kubernetes`] all that a step asks of its pod.
//! - [`names`] makes names legal without ever depending on their neighbours.
//! - [`hooks`] says in which container the functions of `@exit_hook` are called.
//! - [`project`] decides on which branch of its project a flow is deployed.
//! - [`package`] gives the code package its one identity.

pub mod asked;
pub mod capabilities;
#[cfg(feature = "deploy")]
pub mod deploy;
pub mod hooks;
pub mod ir;
pub mod kubernetes;
pub mod literal;
pub mod manifest;
pub mod names;
pub mod package;
pub mod profile;
pub mod project;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod writer;

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;

pub use capabilities::{Capabilities, Decorator};
pub use names::{Case, NameRule, Namer, sha256_hex};
pub use profile::{Placeholder, Profile};
pub use project::BranchChoice;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// Path below the bundle's folder, with `/`.
    pub path: String,
    /// Exactly the bytes that `deploy` would send; UTF-8, ends with a line end.
    pub text: String,
}

/// Everything besides the plan that decides what a bundle looks like.
#[derive(Clone, Debug)]
pub struct Options {
    /// The code package, as `flowc_protocol::identity::package_name` writes it: `<Flow>/<sha256>`.
    pub package: String,
    /// The chosen profile, defaults filled in.
    pub profile: Profile,
}

/// A back end.
pub trait Target: Sync {
    /// As on the command line: `step-functions`.
    fn name(&self) -> &'static str;

    /// What it can do; checked by one pass for all targets.
    fn capabilities(&self) -> &'static Capabilities;

    /// Settings with a placeholder for a default that a deployment of the flow uses; without a flow, those by which the
    /// orchestrator is found.
    fn placeholders(&self, plan: Option<&Plan>) -> Vec<Placeholder>;

    /// Prints the bundle, without `flow.ir.json`; at least one error among the findings if it is `None`.
    ///
    /// Includes [`capabilities::check`]: what the target cannot do is among the findings.
    fn emit(&self, plan: &Plan, options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics);
}
