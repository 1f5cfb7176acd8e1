//! The orchestrators that tests run flows on, started by the tests themselves; `tests/beds/` holds what they are made of.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub mod airflow;
pub mod argo;
pub mod aws;
pub mod kubernetes;
pub mod moto;

/// Exit code of a bed's script where the machine cannot have it.
const IMPOSSIBLE: i32 = 77;

/// Starts what ends beds, each by its script and folder, when this process ends in whatever way: its end of the pipe to the
/// guard closes then. For beds in a static, which is never dropped.
fn guard(beds: &[(PathBuf, &Path)]) -> Child {
    let end =
        "cat >/dev/null; while [ $# -gt 0 ]; do \"$1\" down \"$2\"; rm -rf \"$2\"; shift 2; done";
    Command::new("setsid")
        .args(["sh", "-c", end, "sh"])
        .args(beds.iter().flat_map(|(script, folder)| [script, *folder]))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh can be started")
}
