//! The orchestrators that tests run flows on, started by the tests themselves; `tests/beds/` holds what they are made of.

pub mod airflow;
pub mod argo;
pub mod aws;
pub mod kubernetes;
pub mod moto;
