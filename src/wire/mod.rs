//! The words of the API: JSON as Rocket.Chat writes it, CSV for spreadsheets, and the status of an import.

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod schemas;
pub(crate) mod sse;
pub(crate) mod status;
