//! What a target can do, as data; one shared pass compares it with a plan.

/// A row per construct.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// Foreach inside a foreach.
    pub nested_foreach: bool,
}
