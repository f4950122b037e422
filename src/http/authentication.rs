//! Who is calling, and may they?

use std::{future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::HeaderMap, web};
use futures::future::join;

use super::{AppState, deadline::Deadline, error::ApiError, header_text::text_of};
use crate::{
    domain::{
        permission::Permission,
        user::{Caller, HashedLoginToken},
    },
    repository::{Repositories, RepositoryError},
};

const USER_ID_HEADER: &str = "x-user-id";
const AUTH_TOKEN_HEADER: &str = "x-auth-token";

/// The permission a handler asks for, as a type, so that a handler cannot be written without naming one.
pub(super) trait Required {
    const PERMISSION: Permission;
}

/// Asks for `run-import`.
pub(super) struct RunImport;

impl Required for RunImport {
    const PERMISSION: Permission = Permission::RunImport;
}

/// Asks for `view-import-operations`.
pub(super) struct ViewImportOperations;

impl Required for ViewImportOperations {
    const PERMISSION: Permission = Permission::ViewImportOperations;
}

/// A caller who is logged in and holds the permission.
///
/// Source: `apps/meteor/server/api/v1/middlewares/authenticationHono.ts` and the permission check beside it: a wrong
/// token is told before a missing permission, and both before anything else about the request. Only calls that get past
/// both count for the rate limit.
pub(super) struct Authorized<P> {
    pub(super) caller: Caller,
    /// What is left of the time the database may take for this request.
    pub(super) deadline: Deadline,
    permission: PhantomData<P>,
}

impl<P: Required + 'static> FromRequest for Authorized<P> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Some(state) = request.app_data::<web::Data<AppState>>() else {
                return Err(ApiError::DatabaseUnavailable);
            };
            let deadline = Deadline::from_now();
            let credentials = Credentials::of(request.headers())?;
            let caller = credentials.authorize(&state.repositories, P::PERMISSION, deadline);
            let (caller, rules) = join(caller, deadline.bound(state.repositories.api_rules.current())).await;
            // Read side by side, but a refusal is told whatever became of the other.
            let caller = caller?;
            if let Some(limit) = rules?.limit_for(&caller) {
                state.rate_limiter.count(&request, limit)?;
            }
            Ok(Self { caller, deadline, permission: PhantomData })
        })
    }
}

/// Who somebody claims to be, and what is to prove it.
#[derive(Debug, Hash)]
pub(super) struct Credentials {
    pub(super) user_id: String,
    pub(super) token: HashedLoginToken,
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let user_id = text_of(headers, USER_ID_HEADER).ok_or(ApiError::NotLoggedIn)?;
        let token = text_of(headers, AUTH_TOKEN_HEADER).ok_or(ApiError::NotLoggedIn)?;
        Ok(Self { user_id, token: HashedLoginToken::of(&token) })
    }

    /// The caller, if the claim holds and the caller has the permission.
    pub(super) async fn authorize(
        &self,
        Repositories { users, permissions, .. }: &Repositories,
        permission: Permission,
        deadline: Deadline,
    ) -> Result<Caller, ApiError> {
        let caller = users.find_by_login_token(&self.user_id, &self.token);
        permitted(caller, permissions.holders(permission), deadline).await
    }

    /// The same once more, beside many others who look at the same time.
    pub(super) async fn authorize_again(
        &self,
        Repositories { users, permissions, .. }: &Repositories,
        permission: Permission,
        deadline: Deadline,
    ) -> Result<Caller, ApiError> {
        let caller = users.find_by_login_token_among_many(&self.user_id, &self.token);
        permitted(caller, permissions.holders(permission), deadline).await
    }
}

/// Reads both side by side, but tells a wrong token whatever becomes of the other.
async fn permitted(
    caller: impl Future<Output = Result<Option<Caller>, RepositoryError>>,
    holders: impl Future<Output = Result<Arc<[String]>, RepositoryError>>,
    deadline: Deadline,
) -> Result<Caller, ApiError> {
    let (caller, holders) = join(deadline.bound(caller), deadline.bound(holders)).await;
    let caller = caller?.ok_or(ApiError::NotLoggedIn)?;
    if caller.has_one_of(&holders?) { Ok(caller) } else { Err(ApiError::Unauthorized) }
}
