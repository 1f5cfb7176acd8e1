//! Placeholder of the `step-functions` target's essay.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;
use flowc_target::{BundleFile, Capabilities, Options, Target};

/// The target `step-functions`.
#[derive(Clone, Copy, Debug)]
pub struct StepFunctions;

impl Target for StepFunctions {
    fn name(&self) -> &'static str {
        "step-functions"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &Capabilities::NONE
    }

    fn emit(&self, _plan: &Plan, _options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
        (None, Diagnostics::default())
    }
}
