//! Placeholder of the `argo` target's essay.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;
use flowc_target::{BundleFile, Capabilities, Options, Target};

/// The target `argo`.
#[derive(Clone, Copy, Debug)]
pub struct Argo;

impl Target for Argo {
    fn name(&self) -> &'static str {
        "argo"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &Capabilities::NONE
    }

    fn emit(&self, _plan: &Plan, _options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
        (None, Diagnostics::default())
    }
}
