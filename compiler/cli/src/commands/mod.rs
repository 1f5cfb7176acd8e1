//! One module per command; each has its `Args` and a function `run`.

pub(crate) mod artifacts;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod dump;
pub(crate) mod explain;
pub(crate) mod logs;
pub(crate) mod package;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod sync;
pub(crate) mod test;
pub(crate) mod trigger;
