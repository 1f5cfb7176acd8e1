//! Flows deployed on Argo and run there with real pods: `tests/beds/kubernetes`, and Argo's own controller where `FLOWC_ARGO_BIN`
//! names its programs, else our stand-in for it.
//!
//! All tests share one cluster, which the first of them starts.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

/// How many tests run side by side: they wait for pods most of the time.
const AT_ONCE: usize = 8;

mod choices;
mod costs;
mod deploy;
mod ends;
mod faults;
mod parameters;
mod pods;
mod runs;
mod schedule;
mod triggers;
mod world;

fn main() {
    // The foreach of 200 takes the node for itself, so it begins when most others have ended.
    let modules = [
        choices::TESTS,
        faults::TESTS,
        schedule::TESTS,
        triggers::TESTS,
        ends::TESTS,
        parameters::TESTS,
        pods::TESTS,
        deploy::TESTS,
        runs::TESTS,
        costs::ALONE,
        faults::ALONE,
    ];
    flowc_tests::trials::main(AT_ONCE, &modules);
}
