//! Staged contacts become contacts of the omnichannel.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt as _;

use super::{BatchPlan, Converter, Identity, StoreError, Stored, UniqueValue};
use crate::{
    domain::{
        document::{
            Person,
            contact::{AGENT_ROLE, ContactField, Manager, contact, contact_id, guest_name},
        },
        field_value::{Date, FieldValue, Fields},
        receipt::Outcome,
        record_type::RecordType,
        staged::StagedContact,
    },
    repository::{RefusedBecause, Repositories, RepositoryError, StagedId},
};

/// Makes a contact of each staged one. A contact that an earlier import made stays as it is.
#[derive(Debug)]
pub(in crate::engine) struct Contacts {
    repositories: Repositories,
    importer: String,
    fields: Vec<ContactField>,
    /// What a record's own data do not say.
    places: HashMap<String, PlaceAmongOthers>,
    /// Everything that is made later was made by this run.
    began: Date,
}

/// What a contact's id and name depend on beside its record.
#[derive(Debug, Clone, Copy, Default)]
struct PlaceAmongOthers {
    /// Its number among those with the same import id, or the same in everything else.
    ordinal: u32,
    /// Its number among those without a name.
    guest: i64,
}

/// A staged contact with its id and place.
#[derive(Debug)]
pub(in crate::engine) struct ReadContact {
    id: String,
    guest: i64,
    data: Fields,
}

type Result<T> = std::result::Result<T, RepositoryError>;

impl Contacts {
    /// A converter for the contacts of the root operation, whose run began at this moment.
    ///
    /// # Errors
    /// As for every read.
    pub(in crate::engine) async fn new(
        repositories: &Repositories,
        root: &str,
        importer: &str,
        began: Date,
    ) -> Result<Self> {
        Ok(Self {
            repositories: repositories.clone(),
            importer: importer.to_owned(),
            fields: repositories.contacts.fields().await?,
            places: places(repositories, root, importer).await?,
            began,
        })
    }

    async fn managers(&self, batch: &[&ReadContact]) -> Result<HashMap<String, (Person, bool)>> {
        let names: HashSet<&str> = batch.iter().filter_map(|read| StagedContact::new(&read.data).manager()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let accounts = self.repositories.people.by_usernames(&names).await?;
        Ok(accounts
            .into_iter()
            .filter_map(|(person, roles)| {
                let is_agent = roles.iter().any(|role| role == AGENT_ROLE);
                Some((person.username.clone()?, (person, is_agent)))
            })
            .collect())
    }
}

impl Converter for Contacts {
    const TYPE: RecordType = RecordType::Contact;
    type Ready = ReadContact;

    fn id_for(&self, id: &StagedId) -> String {
        id.as_text()
    }

    fn identity(&self, data: &Fields) -> Identity {
        let staged = StagedContact::new(data);
        Identity {
            import_ids: staged.import_ids().map(str::to_owned).collect(),
            username: None,
            emails: staged.emails().map(str::to_owned).collect(),
        }
    }

    async fn prepare(&self, id: &StagedId, data: Fields) -> std::result::Result<ReadContact, String> {
        let PlaceAmongOthers { ordinal, guest } = self.places.get(&id.as_text()).copied().unwrap_or_default();
        Ok(ReadContact { id: contact_id(StagedContact::new(&data), &self.importer, ordinal), guest, data })
    }

    fn exclusive(&self, _: &ReadContact) -> Vec<UniqueValue> {
        Vec::new()
    }

    async fn store(
        &self,
        batch: &[&ReadContact],
        _: &BatchPlan<'_>,
    ) -> std::result::Result<Vec<std::result::Result<Stored, String>>, StoreError> {
        let managers = self.managers(batch).await?;
        let guests = self.repositories.settings.guest_count().await?;
        let now = Date::now();
        let made = batch.iter().map(|read| {
            let staged = StagedContact::new(&read.data);
            let manager = staged.manager().and_then(|name| managers.get(name));
            let manager = manager.map(|(person, is_agent)| Manager { id: &person.id, is_agent: *is_agent });
            contact(staged, &read.id, manager, &self.fields, &guest_name(guests + read.guest), now)
        });
        let made: Vec<_> = made.collect();
        let documents: Vec<(usize, &Fields)> =
            made.iter().enumerate().filter_map(|(place, made)| Some((place, made.as_ref().ok()?))).collect();
        let fields: Vec<&Fields> = documents.iter().map(|(_, fields)| *fields).collect();
        let refused = self.repositories.contacts.insert(&fields).await?;
        let mut outcomes: Vec<_> = made
            .iter()
            .zip(batch)
            .map(|(made, read)| match made {
                Ok(_) => Ok(Stored::new(Outcome::Created, read.id.clone())),
                Err(reason) => Err(reason.to_string()),
            })
            .collect();
        let ids: Vec<&str> = refused
            .iter()
            .filter_map(|refused| documents.get(refused.position))
            .filter_map(|(place, _)| batch.get(*place))
            .map(|read| read.id.as_str())
            .collect();
        let there = if ids.is_empty() { HashMap::new() } else { self.repositories.contacts.of(&ids).await? };
        for refused in refused {
            let Some((place, read)) =
                documents.get(refused.position).and_then(|(place, _)| Some((*place, batch.get(*place)?)))
            else {
                continue;
            };
            outcomes[place] = match refused.because {
                RefusedBecause::SameId => {
                    let is_new = there.get(&read.id).is_some_and(|there| is_made_after(there, self.began));
                    let outcome = if is_new { Outcome::Created } else { Outcome::Same };
                    Ok(Stored::new(outcome, read.id.clone()))
                }
                RefusedBecause::Taken(index) => {
                    Err(format!("Another contact has the same value (unique index {index})."))
                }
                RefusedBecause::Other(reason) => Err(reason),
            };
        }
        Ok(outcomes)
    }
}

fn is_made_after(contact: &Fields, moment: Date) -> bool {
    matches!(contact.get("createdAt"), Some(FieldValue::Date(date)) if *date >= moment)
}

/// The places of those contacts that have one other than the first.
async fn places(repositories: &Repositories, root: &str, importer: &str) -> Result<HashMap<String, PlaceAmongOthers>> {
    let mut records = Box::pin(repositories.staged_choice.records(root, RecordType::Contact).await?);
    let (mut seen, mut places, mut guests): (HashMap<String, u32>, HashMap<_, _>, i64) = Default::default();
    while let Some(record) = records.try_next().await? {
        if record.is_left_out {
            continue;
        }
        let staged = StagedContact::new(&record.data);
        let ordinal = seen.entry(contact_id(staged, importer, 0)).or_default();
        let is_guest = staged.name().is_none();
        guests += i64::from(is_guest);
        if *ordinal > 0 || is_guest {
            places.insert(record.id.as_text(), PlaceAmongOthers { ordinal: *ordinal, guest: guests });
        }
        *ordinal += 1;
    }
    Ok(places)
}
