//! What an import is: operations, their steps and states, the staging area, who may see them.
//!
//! Pure types and rules. Nothing in here knows how an operation is stored or sent; the `repository` room reads these
//! types out of MongoDB and the `http` room writes them as JSON.

pub mod api_rules;
pub mod call_window;
pub mod client_address;
pub mod counts;
pub mod field_value;
pub mod importer;
pub mod new_user;
pub mod operation;
pub mod pace;
pub mod password;
pub mod permission;
pub mod progress_step;
pub mod user;
pub mod user_id;
