//! The code package: a canonical tar with one identity.
