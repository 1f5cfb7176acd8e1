//! Questions to the harness that are answered at once, beside those of tasks.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::output::ignore_broken_pipe;

/// Hands a request to a process that reads it whole; one that ends without listening says so by its end.
pub(crate) fn tell(process: &mut Child, request: &str) -> io::Result<()> {
    process.stdin.take().map_or(Ok(()), |mut stdin| {
        ignore_broken_pipe(stdin.write_all(request.as_bytes()))
    })
}

/// Starts the harness with a verb, hands it the request as JSON and returns what it printed, which is nothing if it
/// ended early. What it says on standard error goes on to ours.
pub(crate) async fn ask(
    python: &Path,
    harness: &Path,
    verb: &str,
    request: &Value,
) -> anyhow::Result<Vec<u8>> {
    let shown = python.display();
    let mut process = Command::new(python)
        .arg(harness)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {shown}"))?;
    if let Some(mut stdin) = process.stdin.take() {
        // If Python has ended already, its answer tells.
        let _ = stdin.write_all(&serde_json::to_vec(request)?).await;
    }
    let output = process.wait_with_output().await;
    Ok(output
        .with_context(|| format!("cannot hear {shown}"))?
        .stdout)
}
