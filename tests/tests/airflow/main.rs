//! Flows on a real Airflow with real pods, in a namespace that enforces Kubernetes' restricted profile.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

mod deploy;
mod faults;
mod parameters;
mod runs;
mod world;
