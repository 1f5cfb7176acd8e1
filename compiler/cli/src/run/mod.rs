//! Parts of `flowc run`: its command line, the values of parameters, what people see.

pub(crate) mod arguments;
pub(crate) mod progress;
