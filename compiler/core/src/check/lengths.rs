//! Names that become names of files: a longer one could not be kept, on whatever target.

use super::graph::Graph;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::ir::flow::{Flow, Spanned};

/// Longest name of a file or folder, in bytes (`NAME_MAX` of Linux's limits.h, the same on macOS). Steps and flows are
/// folders of the store. The key of an object of S3 may have 1024 bytes, of which these are parts.
const FILE_MAX: usize = 255;

/// Longest name of an artifact, in bytes: Metaflow's metadata has a file `0_artifact_<name>.json` for each
/// (`metaflow/plugins/metadata_providers/local.py`, read at 2.19.39).
const ARTIFACT_MAX: usize = FILE_MAX - "0_artifact_.json".len();

/// Checks the names of the flow, its steps, its parameters and its constants.
pub(super) fn check(flow: &Flow, graph: &Graph) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let mut look = |what: &str, name: &Spanned<String>, longest: usize| {
        let length = name.value.len();
        if length > longest {
            diagnostics.push(
                Diagnostic::error(
                    Code::FC0104,
                    format!("the name of the {what} has {length} bytes"),
                    name.span,
                    format!("at most {longest} can be kept"),
                )
                .note("it becomes the name of a file, which has at most 255 bytes")
                .help("choose a shorter name"),
            );
        }
    };
    look("flow", &flow.name, FILE_MAX);
    for (_, step) in graph.steps() {
        look("step", &step.name, FILE_MAX);
    }
    for parameter in &flow.parameters {
        look("parameter", &parameter.attribute, ARTIFACT_MAX);
    }
    diagnostics
}
