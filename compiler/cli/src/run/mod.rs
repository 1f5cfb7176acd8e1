//! Parts of `flowc run` and `flowc resume`: their command lines, what they share, what people see.

pub(crate) mod adoption;
pub(crate) mod arguments;
pub(crate) mod ended;
pub(crate) mod findings;
mod hooks;
pub(crate) mod origin;
pub(crate) mod progress;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod triggered;
pub(crate) mod variables;
