//! Who may do what: accounts and their tokens, permissions, roles, and the workspace's settings.

mod api_policy;
mod file_settings;
mod permissions;
mod roles;
mod room_settings;
mod settings;
mod token_holders;
pub(in crate::repository) mod users;

pub use api_policy::ApiPolicyCache;
pub use file_settings::{FileSettings, GoogleSettings, S3Settings, WebdavSettings};
pub use permissions::Permissions;
pub use roles::Roles;
pub use settings::Settings;
pub use users::Users;
