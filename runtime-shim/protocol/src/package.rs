//! Limits of the code package: who makes one keeps them, who unpacks one believes nobody.

/// Largest package, compressed or not, bytes.
pub const SIZE_MAX: u64 = 2 << 30;

/// Most files in a package.
pub const FILES_MAX: usize = 200_000;
