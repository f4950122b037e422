//! Files of users: one reader for the command line and the API.
//!
//! [`Users::read`] takes bytes and gives an [`Entry`] for each line: the user in the form that `import.addUsers` takes,
//! and the problems of the line. The way of a file:
//!
//! ```text
//! bytes ─ input ─► text ─ table ─► rows ────┐
//!        (content,  └──── object ─► objects ┴ mapping ─► users ─ checks ─► entries
//!         encoding)                          (names, presets)
//! ```
//!
//! It knows no database and no network, and holds one line at a time in memory.

mod checks;
mod dates;
mod draft;
mod fields;
mod findings;
mod format;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod input;
mod mapping;
mod names;
mod object;
mod opening;
mod options;
mod presets;
mod problem;
mod record_kind;
mod rejects;
mod source;
mod table;
mod tally;
mod target;
mod template;
mod users;

pub(crate) use fields::{User, first_import_id};
pub(crate) use findings::Findings;
pub(crate) use input::encoding_named;
pub(crate) use options::{Format, Options};
pub(crate) use problem::{Kind, Problem, Refusable, Severity};
pub(crate) use rejects::Rejects;
pub(crate) use source::{From, ImportIdFrom};
pub(crate) use tally::Tally;
pub(crate) use template::{Template, template};
pub(crate) use users::{Entry, Users};
