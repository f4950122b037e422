//! Who may do what, by Rocket.Chat's permissions and roles.

/// A permission of Rocket.Chat's that this service asks for.
///
/// Source: `apps/meteor/app/authorization/server/constant/permissions.ts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Call the API as often as one likes.
    BypassRateLimit,
    /// Run imports and see how they go.
    RunImport,
    /// See the history of imports.
    ViewImportOperations,
}

impl Permission {
    /// The `_id` of the permission.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::BypassRateLimit => "api-bypass-rate-limit",
            Self::RunImport => "run-import",
            Self::ViewImportOperations => "view-import-operations",
        }
    }
}
