//! Placeholder of the `airflow` target's essay.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::plan::Plan;
use flowc_target::{BundleFile, Capabilities, Options, Target};

/// The target `airflow`.
#[derive(Clone, Copy, Debug)]
pub struct Airflow;

impl Target for Airflow {
    fn name(&self) -> &'static str {
        "airflow"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &Capabilities::NONE
    }

    fn emit(&self, _plan: &Plan, _options: &Options) -> (Option<Vec<BundleFile>>, Diagnostics) {
        (None, Diagnostics::default())
    }
}
