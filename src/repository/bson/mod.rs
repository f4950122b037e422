//! The mapping between BSON and the field values of `domain`, as JavaScript sees them.

pub(in crate::repository) mod numbers;
pub(in crate::repository) mod read;
pub(in crate::repository) mod write;
