//! One module per command; each has its `Args` and a function `run`.

pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod explain;
pub(crate) mod run;
pub(crate) mod show;
