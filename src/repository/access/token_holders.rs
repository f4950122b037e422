//! The holders of login tokens, found for many callers by one read.
//!
//! Each caller claims an account and a token. One query takes the claims of all callers who wait: it finds the accounts
//! that have one of these tokens, and returns of each account its roles and those of its tokens that were claimed. The
//! other tokens of an account, of which there may be thousands, never leave the database.

use std::collections::{HashMap, HashSet};

use bson::{Bson, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use crate::{
    domain::caller::{Caller, HashedLoginToken},
    repository::{RepositoryError, access::permissions::texts_in},
};

const TOKENS: &str = "services.resume.loginTokens.hashedToken";

/// A user's `_id` and a token that the user may hold.
pub(in crate::repository) type Claim = (String, HashedLoginToken);

/// Returns the caller of each claim that holds.
pub(in crate::repository) async fn find(
    accounts: &Collection<RawDocumentBuf>,
    claims: HashSet<Claim>,
) -> Result<HashMap<Claim, Caller>, RepositoryError> {
    let ids: HashSet<&str> = claims.iter().map(|(id, _)| id.as_str()).collect();
    let tokens: Vec<Bson> = claims.iter().map(|(_, token)| token.as_str().into()).collect();
    // As the query understands it: a token outside a list counts too.
    let stored = format!("${TOKENS}");
    let tokens_of_account = doc! { "$cond": [{ "$isArray": &stored }, &stored, [&stored]] };
    let claimed = doc! { "$filter": { "input": tokens_of_account, "cond": { "$in": ["$$this", &tokens] } } };
    let found = accounts
        .find(doc! { "_id": { "$in": ids.into_iter().collect::<Vec<_>>() }, TOKENS: { "$in": &tokens } })
        .projection(doc! { "roles": 1, "claimed": claimed })
        // There is an index on tokens as well, and the server would weigh the two against each other again and again.
        .hint(mongodb::options::Hint::Keys(doc! { "_id": 1 }))
        .await?;
    let found: Vec<RawDocumentBuf> = found.try_collect().await?;
    let by_id: HashMap<&str, &RawDocumentBuf> =
        found.iter().filter_map(|account| Some((account.get_str("_id").ok()?, account))).collect();
    let caller_of = |claim: Claim| {
        let account = by_id.get(claim.0.as_str()).filter(|account| has(account, &claim.1))?;
        let caller = Caller { id: claim.0.clone(), roles: texts_in(account, "roles") };
        Some((claim, caller))
    };
    Ok(claims.into_iter().filter_map(caller_of).collect())
}

/// Whether the token is among the claimed ones of the account.
fn has(account: &RawDocument, token: &HashedLoginToken) -> bool {
    let claimed = account.get_array("claimed").into_iter().flatten();
    claimed.into_iter().any(|stored| matches!(stored, Ok(RawBsonRef::String(stored)) if stored == token.as_str()))
}
