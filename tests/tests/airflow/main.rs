//! Flows on a real Airflow with real pods, in a namespace that enforces Kubernetes' restricted profile.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

mod deploy;
mod faults;
mod nesting;
mod parameters;
mod runs;
mod switches;
mod triggers;
mod widths;
mod world;

fn main() {
    // The longest first. Who wants the bed for itself is last, so that nobody waits for it.
    let modules = [
        nesting::TESTS,
        widths::TESTS,
        switches::TESTS,
        triggers::TESTS,
        runs::TESTS,
        parameters::TESTS,
        faults::TESTS,
        deploy::TESTS,
        faults::ALONE,
    ];
    flowc_tests::trials::main(12, &modules);
}
