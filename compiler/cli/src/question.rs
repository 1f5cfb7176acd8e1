//! Questions to the harness that are answered at once, beside those of tasks.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

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
        // A Ctrl-C on the terminal is for flowc alone, whose end is its end.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {shown}"))?;
    // Open until the answer is there: it tells the other side that somebody waits for it.
    let mut lifeline = process.stdin.take();
    if let Some(stdin) = &mut lifeline {
        // If Python has ended already, its answer tells.
        let _ = stdin.write_all(format!("{request}\n").as_bytes()).await;
        let _ = stdin.flush().await;
    }
    let output = process.wait_with_output().await;
    drop(lifeline);
    Ok(output
        .with_context(|| format!("cannot hear {shown}"))?
        .stdout)
}
