//! Profiles from `flowc.toml`.

/// A profile with its defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Name.
    pub name: String,
}
