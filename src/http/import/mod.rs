//! The `import.*` endpoints.

mod status;

pub(super) use status::{UnknownStatusLog, status};
