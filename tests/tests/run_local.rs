//! `flowc run` as people use it: the program, real Python, a store in a temporary folder.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "run_local/bucket.rs"]
mod bucket;
#[path = "run_local/dump.rs"]
mod dump;
#[path = "run_local/ends.rs"]
mod ends;
#[path = "run_local/gangs.rs"]
mod gangs;
#[path = "run_local/hooks.rs"]
mod hooks;
#[path = "run_local/isolation.rs"]
mod isolation;
#[path = "run_local/leftovers.rs"]
mod leftovers;
#[path = "run_local/metaflow.rs"]
mod metaflow;
#[path = "run_local/refusals.rs"]
mod refusals;
#[path = "run_local/removed.rs"]
mod removed;
#[path = "run_local/resume.rs"]
mod resume;
#[path = "run_local/resume_loops.rs"]
mod resume_loops;
#[path = "run_local/runs.rs"]
mod runs;
#[path = "run_local/secrets.rs"]
mod secrets;
#[path = "run_local/test_step.rs"]
mod test_step;
#[path = "run_local/triggers.rs"]
mod triggers;
#[path = "run_local/world.rs"]
mod world;
