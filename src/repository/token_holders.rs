//! Who holds a token, for many who ask for different ones: one read answers everybody who has asked before it begins.
//!
//! As with `shared_reads`, an answer is as fresh as one of a read of one's own.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use bson::{RawBsonRef, RawDocument, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::Collection;

use super::{RepositoryError, permissions::texts_in, shared_reads::SharedReads};
use crate::domain::user::{Caller, HashedLoginToken};

/// A user's `_id` and a token that the user may hold.
type Login = (String, HashedLoginToken);

/// Asks for the holders of tokens.
#[derive(Debug, Clone)]
pub(super) struct TokenHolders {
    users: Collection<RawDocumentBuf>,
    /// What the next read is to answer.
    asked: Arc<Mutex<HashSet<Login>>>,
    answers: SharedReads<(), Arc<Answers>>,
}

/// What one read has answered.
#[derive(Debug, Default)]
struct Answers {
    asked: HashSet<Login>,
    holders: HashMap<Login, Caller>,
}

impl TokenHolders {
    pub(super) fn over(users: Collection<RawDocumentBuf>) -> Self {
        Self { users, asked: Arc::default(), answers: SharedReads::default() }
    }

    pub(super) async fn find(&self, login: Login) -> Result<Option<Caller>, RepositoryError> {
        loop {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(login.clone());
            let this = self.clone();
            let answers = self.answers.get((), move || async move { this.read().await }).await?;
            // It may have begun between the two.
            if answers.asked.contains(&login) {
                return Ok(answers.holders.get(&login).cloned());
            }
        }
    }

    async fn read(&self) -> Result<Arc<Answers>, RepositoryError> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let ids: Vec<&str> = asked.iter().map(|(id, _)| id.as_str()).collect();
        let shown = doc! { "roles": 1, "services.resume.loginTokens.hashedToken": 1 };
        let found = self.users.find(doc! { "_id": { "$in": ids } }).projection(shown).await?;
        let found: Vec<RawDocumentBuf> = found.try_collect().await?;
        let users: HashMap<&str, &RawDocumentBuf> =
            found.iter().filter_map(|user| Some((user.get_str("_id").ok()?, user))).collect();
        let mut holders = HashMap::new();
        for login @ (id, token) in &asked {
            if let Some(user) = users.get(id.as_str()).filter(|user| holds(user, token)) {
                holders.insert(login.clone(), Caller { id: id.clone(), roles: texts_in(user, "roles") });
            }
        }
        Ok(Arc::new(Answers { asked, holders }))
    }
}

/// Whether the user has the token. What is stored in another shape is no token.
fn holds(user: &RawDocument, token: &HashedLoginToken) -> bool {
    let tokens = || user.get_document("services").ok()?.get_document("resume").ok()?.get_array("loginTokens").ok();
    tokens().into_iter().flatten().any(|stored| match stored {
        Ok(RawBsonRef::Document(stored)) => stored.get_str("hashedToken").is_ok_and(|stored| stored == token.as_str()),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use bson::{Document, rawdoc};

    use super::*;

    #[test]
    fn a_token_is_held_by_whoever_has_its_hash_among_theirs() {
        let token = HashedLoginToken::of("token");
        let with = |tokens: Vec<Document>| {
            RawDocumentBuf::try_from(&doc! { "services": { "resume": { "loginTokens": tokens } } }).unwrap()
        };
        let other = doc! { "hashedToken": "other" };
        assert!(holds(&with(vec![other.clone(), doc! { "when": 1, "hashedToken": token.as_str() }]), &token));
        assert!(!holds(&with(vec![other, doc! { "token": token.as_str() }]), &token));
        assert!(!holds(&with(Vec::new()), &token));
        for odd in [rawdoc! {}, rawdoc! { "services": 5 }, rawdoc! { "services": { "resume": { "loginTokens": {} } } }]
        {
            assert!(!holds(&odd, &token), "{odd:?}");
        }
    }
}
