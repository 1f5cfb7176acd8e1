//! Front ends: from text to [`crate::ir::flow::Flow`].
pub mod python;
