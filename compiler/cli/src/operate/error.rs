//! Errors of an orchestrator as findings with a code, so that `flowc explain` knows them.

use std::error::Error;

use flowc_core::diag::{Code, Diagnostic, Diagnostics, Severity, render};
use flowc_core::source::SourceTree;
use flowc_target::deploy::DeployError;

use crate::{Outcome, output};

/// Shows why nothing was done, or not all of it.
pub(crate) fn refuse(error: &DeployError) -> Outcome {
    let mut found = Diagnostic::new(code(error), Severity::Error, error.to_string());
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(error) = cause {
        let said = error.to_string();
        // Client libraries wrap errors that already say what their cause says.
        if !said.is_empty() && !last.contains(&said) {
            found = found.note(format!("because: {said}"));
            last = said;
        }
        cause = error.source();
    }
    if let Some(help) = error.help() {
        found = found.help(help);
    }
    show(found)
}

/// Shows that the code package could not be put into the store.
pub(crate) fn store_trouble(error: &anyhow::Error) -> Outcome {
    let found = Diagnostic::new(Code::FC5010, Severity::Error, format!("{error:#}"));
    show(found.help("nothing was deployed; check the profile's `store` and your access to it"))
}

fn show(found: Diagnostic) -> Outcome {
    let mut all = Diagnostics::default();
    all.push(found);
    output::remark(&render::text(
        &SourceTree::default(),
        &all,
        output::colour(),
    ));
    Outcome::Trouble
}

fn code(error: &DeployError) -> Code {
    match error {
        DeployError::Unreachable { .. } => Code::FC5001,
        DeployError::Credentials { .. } => Code::FC5002,
        DeployError::Denied { .. } => Code::FC5003,
        DeployError::Elsewhere { .. } => Code::FC5004,
        DeployError::Foreign { .. } => Code::FC5005,
        DeployError::Missing { .. } => Code::FC5006,
        DeployError::Refused { .. } => Code::FC5007,
        DeployError::Timeout { .. } => Code::FC5008,
        DeployError::Other { .. } => Code::FC5009,
    }
}
