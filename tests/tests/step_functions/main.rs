//! Flows deployed to Step Functions by `flowc deploy` and run there to their end, on the bed of `tests/beds/aws`.
//!
//! States, jobs and schedules are the emulator's; the shim, Python, S3's bytes and the AWS clients are real.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod constructs;
mod deploys;
mod examples;
mod faults;
mod parameters;
mod schedules;
mod triggers;
mod world;
