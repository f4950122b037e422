//! Contacts of the omnichannel, `rocketchat_livechat_contact`.

use std::collections::HashMap;

use bson::{Document, RawDocumentBuf, doc};
use mongodb::Collection;

use super::bulk::{Refused, insert_each, read_all, text_of};
use crate::{
    domain::{document::contact::ContactField, field_value::Fields},
    repository::{Connection, RepositoryError},
};

const COLLECTION: &str = "rocketchat_livechat_contact";
const CUSTOM_FIELDS: &str = "rocketchat_livechat_custom_field";

/// Reads and writes contacts.
#[derive(Debug, Clone)]
pub struct Contacts {
    contacts: Collection<Document>,
    custom_fields: Collection<RawDocumentBuf>,
}

impl Contacts {
    pub(in crate::repository) fn new(connection: &Connection) -> Self {
        Self { contacts: connection.collection(COLLECTION), custom_fields: connection.collection(CUSTOM_FIELDS) }
    }

    /// Stores new contacts; those that were refused.
    ///
    /// # Errors
    /// Some may have been stored all the same.
    pub async fn insert(&self, contacts: &[&Fields]) -> Result<Vec<Refused>, RepositoryError> {
        insert_each(&self.contacts, contacts).await
    }

    /// Returns the contacts with these ids.
    pub async fn of(&self, ids: &[&str]) -> Result<HashMap<String, Fields>, RepositoryError> {
        let contacts = self.contacts.clone_with_type::<RawDocumentBuf>();
        let found = read_all(contacts.find(doc! { "_id": { "$in": ids } }).await?, COLLECTION).await?;
        Ok(found.into_iter().map(|contact| (text_of(&contact, "_id").to_owned(), contact)).collect())
    }

    /// Returns the custom fields that contacts may have.
    pub async fn fields(&self) -> Result<Vec<ContactField>, RepositoryError> {
        let found = self.custom_fields.find(doc! {}).sort(doc! { "_id": 1 }).await?;
        Ok(read_all(found, CUSTOM_FIELDS).await?.iter().filter_map(ContactField::new).collect())
    }
}
