//! Flows deployed on Argo and run there with real pods: `tests/beds/kubernetes`, and Argo's own controller where `FLOWC_ARGO_BIN`
//! names its programs, else our stand-in for it.
//!
//! All tests share one cluster, which the first of them starts.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod costs;
mod deploy;
mod ends;
mod faults;
mod parameters;
mod runs;
mod schedule;
mod world;
