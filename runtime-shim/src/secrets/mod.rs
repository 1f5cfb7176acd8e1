//! `@secrets`: fetching what a step refers to, and hiding it in what the step prints.
//!
//! The harness knows the rules of Metaflow by which a secret becomes variables; this side has the way to AWS, for which
//! an image needs no package.

mod hide;
mod vault;

pub(crate) use hide::{Hidden, Hider};
pub use vault::Vault;
