//! The Python front end, static: nothing of the user's code is run.
//!
//! `parse` turns text into a syntax tree, `names` says what imports and definitions bind, `modules` finds the other files
//! that the flow's classes lead to, `classes` picks the flow class, `mro` orders its bases,
//! `members` reads its body by way of `steps`, `transition`, `decorators` and `parameters`, and `lower` puts the flow together.
//! Whatever is not understood is a diagnostic; the rest is still read.
//! `imports` and `preload` read other things of a file: all modules that it imports, and those to be imported early.
//!
//! What only Python can tell is a diagnostic of its own list ([`Reading::unknown`]). Who may run the file asks the harness,
//! and reads again with the answer ([`description::Description`]), which `described` puts in the place of what was read.

mod attached;
mod bindings;
mod classes;
mod decorators;
mod depth;
mod described;
pub mod description;
mod docstring;
mod dynamic;
mod imports;
mod known;
mod literal;
mod lower;
mod members;
mod modules;
mod mro;
mod names;
mod parameters;
mod parse;
mod preload;
mod steps;
#[cfg(test)]
mod tests;
mod transition;

pub use attached::attach;
pub use imports::{Import, imports, is_in_standard_library};
pub use lower::{Reading, lower, read};
pub use preload::preload;
