//! What a trivial task costs in CPU time beyond the interpreter that runs it.
//!
//! Trivial: one parent, one small new artifact, one printed line, a clean attempt, a packaged flow on a local store.
//! The same tasks run once by `flowc-shim` and once by the library in this process, where the children are the
//! interpreters alone; the difference is the shim.

#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]
#![allow(clippy::print_stdout, reason = "a bench prints its result")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{Bed, FLOW, manifest, put_package, python, shim};

const TASKS: usize = 50;

/// `USER_HZ`: what the kernel's `/proc` counts CPU time in, per second, on all architectures that we build for.
const TICKS_PER_S: f64 = 100.;

fn main() {
    // `cargo test` only wants to see that it works.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let tasks = if is_test { 2 } else { TASKS };
    let flow = FLOW.replace("[1, 2, 3]", &format!("list(range({}))", 2 * tasks));
    let mut bed = Bed::new(&flow, manifest());
    // The launcher of a version manager would be counted as Python's start.
    bed.launcher.python = executable();
    let package = put_package(&bed);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(bed.done("start", "-"));

    let before = Used::now();
    for task in 0..tasks {
        runtime.block_on(bed.done("work", &(2 * task).to_string()));
    }
    let library = before.until_now(tasks);

    let before = Used::now();
    for task in 0..tasks {
        let index = (2 * task + 1).to_string();
        let status = shim(bed.folder.path(), &package, "work", &index)
            .env("FLOWC_PYTHON", &bed.launcher.python)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }
    let whole = before.until_now(tasks);

    println!("CPU time per trivial task on a local store, mean of {tasks}:");
    println!("  interpreter and harness   {:6.1} ms", library.children_ms);
    println!("  the library, in process   {:6.1} ms", library.own_ms);
    println!(
        "  flowc-shim                {:6.1} ms",
        whole.children_ms - library.children_ms
    );
}

fn executable() -> PathBuf {
    let output = Command::new(python())
        .args(["-c", "import sys; print(sys.executable, end='')"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().into()
}

/// CPU time of this process, and of its children that have ended, with theirs.
struct Used {
    own_ms: f64,
    children_ms: f64,
}

impl Used {
    fn now() -> Self {
        let line = std::fs::read_to_string("/proc/self/stat").unwrap();
        let (_, fields) = line.rsplit_once(')').unwrap();
        let ticks: Vec<f64> = fields
            .split_whitespace()
            .skip(11)
            .take(4)
            .map(|field| field.parse().unwrap())
            .collect();
        Self {
            own_ms: (ticks[0] + ticks[1]) / TICKS_PER_S * 1000.,
            children_ms: (ticks[2] + ticks[3]) / TICKS_PER_S * 1000.,
        }
    }

    /// What was used since then, per task.
    fn until_now(&self, tasks: usize) -> Self {
        let now = Self::now();
        Self {
            own_ms: (now.own_ms - self.own_ms) / tasks as f64,
            children_ms: (now.children_ms - self.children_ms) / tasks as f64,
        }
    }
}
