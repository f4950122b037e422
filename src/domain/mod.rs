//! What an import is: operations, their steps and states, the staging area, who may see them.
//!
//! Pure types and rules. Nothing in here knows how an operation is stored or sent; the `repository` room reads these
//! types out of MongoDB and the `http` room writes them as JSON.

pub mod api;
pub mod caller;
pub mod counts;
pub mod document;
pub mod field_value;
pub mod file_source;
pub mod forecast;
pub mod import_file_name;
pub mod importer;
pub mod leaving;
pub mod loading;
pub mod matching;
mod named_values;
pub mod new_user;
pub mod operation;
pub mod pace;
pub mod password;
pub mod progress_step;
pub mod receipt;
pub mod record_type;
pub mod retention;
pub mod room_history;
pub mod selection;
pub mod sent_list;
pub mod shown_value;
pub mod sign_up;
pub mod spreadsheet;
pub mod stable_hash;
pub mod staged;
pub mod stalled;
pub mod state;
pub mod upload;
pub mod user_id;
