//! Who is calling, and may they?

use std::{future::Future, marker::PhantomData, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::HeaderMap};
use futures::future::join;

use crate::{
    domain::{
        caller::Permission,
        caller::{Caller, HashedLoginToken},
    },
    http::{
        access::{deadline::Deadline, headers::text_of},
        app,
        error::ApiError,
    },
    repository::{Repositories, setup::Work},
};

const USER_ID_HEADER: &str = "x-user-id";
const AUTH_TOKEN_HEADER: &str = "x-auth-token";

/// The permission a handler asks for, as a type, so that a handler cannot be written without naming one.
pub(in crate::http) trait Required {
    const PERMISSION: Permission;
}

/// Marks a route whose calls the rate limit does not count one by one: the pieces of a file.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Uncounted;

/// Asks for `run-import`.
pub(in crate::http) struct RunImport;

impl Required for RunImport {
    const PERMISSION: Permission = Permission::RunImport;
}

/// Asks for `view-import-operations`.
pub(in crate::http) struct ViewImportOperations;

impl Required for ViewImportOperations {
    const PERMISSION: Permission = Permission::ViewImportOperations;
}

/// A caller who is logged in and holds the permission.
///
/// Source: `apps/meteor/server/api/v1/middlewares/authenticationHono.ts` and the permission check beside it: a wrong
/// token is reported before a missing permission, and both before anything else about the request. Only calls that get past
/// both count for the rate limit.
pub(in crate::http) struct Authorized<P> {
    pub(in crate::http) caller: Caller,
    /// The rest of the time that the database may take for this request.
    pub(in crate::http) deadline: Deadline,
    permission: PhantomData<P>,
}

impl<P: Required + 'static> FromRequest for Authorized<P> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = app(&request);
            let deadline = Deadline::from_now();
            let credentials = Credentials::of(request.headers())?;
            let caller = credentials.authorize(&state.repositories, P::PERMISSION, deadline);
            let (caller, rules) = join(caller, deadline.bound(state.repositories.api_policy.current())).await;
            // Read side by side, but a refusal is told whatever became of the other.
            let caller = caller?;
            let is_counted = request.app_data::<Uncounted>().is_none();
            if let Some(limit) = rules?.limit_for(&caller).filter(|_| is_counted) {
                state.rate_limiter.count(&request, limit)?;
            }
            if let Some(work) = request.app_data::<Work>() {
                let missing = state.readiness.missing_for(*work);
                if !missing.is_empty() {
                    return Err(ApiError::MissingPrivileges { missing });
                }
            }
            Ok(Self { caller, deadline, permission: PhantomData })
        })
    }
}

impl<P> Authorized<P> {
    /// Asks for a further permission.
    pub(in crate::http) async fn also(
        &self,
        repositories: &Repositories,
        permission: Permission,
    ) -> Result<(), ApiError> {
        let holders = self.deadline.bound(repositories.permissions.holders(permission)).await?;
        if self.caller.has_one_of(&holders) { Ok(()) } else { Err(ApiError::Unauthorized) }
    }
}

/// User id and hashed token from the request headers.
#[derive(Debug, Hash)]
pub(in crate::http) struct Credentials {
    pub(in crate::http) user_id: String,
    pub(in crate::http) token: HashedLoginToken,
}

impl Credentials {
    pub(in crate::http) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let user_id = text_of(headers, USER_ID_HEADER).ok_or(ApiError::NotLoggedIn)?;
        let token = text_of(headers, AUTH_TOKEN_HEADER).ok_or(ApiError::NotLoggedIn)?;
        Ok(Self { user_id, token: HashedLoginToken::of(&token) })
    }

    /// Returns the caller, if the token is the user's and the user has the permission.
    ///
    /// Both reads run concurrently; a wrong token is reported first, even if the other read fails.
    pub(in crate::http) async fn authorize(
        &self,
        Repositories { users, permissions, .. }: &Repositories,
        permission: Permission,
        deadline: Deadline,
    ) -> Result<Caller, ApiError> {
        let caller = deadline.bound(users.find_by_login_token(&self.user_id, &self.token));
        let (caller, holders) = join(caller, deadline.bound(permissions.holders(permission))).await;
        let caller = caller?.ok_or(ApiError::NotLoggedIn)?;
        if caller.has_one_of(&holders?) { Ok(caller) } else { Err(ApiError::Unauthorized) }
    }
}
