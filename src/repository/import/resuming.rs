//! Operations that go on with the records, or with the file, of an ended one.

use bson::{DateTime, Document, doc, oid::ObjectId};
use sha2::{Digest as _, Sha256};

use super::{
    leased_operation::count_name,
    operations::{Imports, MadeAt, fresh_document},
};
use crate::{
    domain::{
        field_value::{FieldValue, Fields},
        loading::StagedCounts,
        operation::Operation,
        progress_step::ProgressStep,
        record_type::RecordType,
    },
    repository::{
        RepositoryError,
        bson::{numbers::smallest, write::document_of},
        connection::error::is_duplicate_key,
    },
};

/// As many as an ObjectId has.
const RESUMING_ID_BYTES: usize = 12;
/// What an ended operation says about its own end in `import`.
const OF_THE_END: [&str; 3] = ["problem", "endedByCall", "goesOn"];
const RESUMPTIONS: &str = "resumptions";
/// The fields of an operation that tell of its file.
const OF_THE_FILE: [&str; 4] = ["type", "importerKey", "file", "contentType"];

/// How an operation goes on with an ended one.
#[derive(Debug, Clone, Copy)]
pub struct Resumption<'a> {
    pub ended: &'a Operation,
    /// The user who resumes it.
    pub user_id: &'a str,
    /// The step at which the new operation begins.
    pub step: ProgressStep,
    /// The records that are staged.
    pub staged: StagedCounts,
    pub cause: ResumptionCause,
}

/// Why an operation goes on with an ended one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumptionCause {
    /// Somebody called for it.
    Call,
    /// The service does it by itself.
    Invalidation,
}

impl Imports {
    /// Makes a new operation that goes on with an ended one, and ends those before it. `None` if that was done already, or
    /// if a newer operation was made since `latest`.
    ///
    /// # Errors
    /// The operation may have been made all the same.
    pub async fn create_resuming(
        &self,
        resumption: &Resumption<'_>,
        latest: &MadeAt,
    ) -> Result<Option<Operation>, RepositoryError> {
        let ts = latest.next();
        let Some(document) = resuming_document(resumption, ts) else { return Ok(None) };
        let id = document.get_str("_id").unwrap_or_default().to_owned();
        let made = match self.insert(document).await {
            Ok(made) => made,
            Err(RepositoryError::Refused(error)) if is_duplicate_key(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(self.end_others(&id, ts).await?.then_some(made))
    }
}

fn resuming_document(resumption: &Resumption<'_>, ts: DateTime) -> Option<Document> {
    let Resumption { ended, user_id, step, staged, cause } = resumption;
    let (resumed, root) = (ended.id()?, ended.root()?);
    let mut document = fresh_document(&resuming_id(resumed), user_id, ts);
    let mut import = doc! { "records": root, "resumes": resumed };
    if ended.file_source().is_some() {
        for name in OF_THE_FILE {
            if let Some(text) = ended.fields.get(name).and_then(FieldValue::as_text) {
                document.insert(name, text);
            }
        }
        let own = ended.fields.get("import").and_then(FieldValue::as_object).cloned().unwrap_or_default();
        let kept = own.iter().filter(|(name, _)| !OF_THE_END.contains(name) && !import.contains_key(name));
        let kept: Fields = kept.map(|(name, value)| (name, value.clone())).collect();
        import.extend(document_of(&kept));
        match cause {
            // Somebody has looked at it: how often it went on by itself no longer counts.
            ResumptionCause::Call => {
                import.remove(RESUMPTIONS);
            }
            ResumptionCause::Invalidation => {
                import.insert(RESUMPTIONS, smallest(ended.resumptions() + 1));
                if *step == ProgressStep::UserSelection {
                    import.insert("goesOn", true);
                }
            }
        }
    }
    document.insert("status", step.as_str());
    if staged.total() > 0 {
        let mut count = doc! { "total": smallest(staged.total()) };
        for kind in RecordType::ALL.into_iter().filter(|kind| staged.of(*kind) > 0) {
            count.insert(count_name(kind), smallest(staged.of(kind)));
        }
        document.insert("count", count);
    }
    document.insert("import", import);
    Some(document)
}

/// The id of the operation that goes on with the operation `resumed`: always the same, so that of several calls at once one
/// wins.
fn resuming_id(resumed: &str) -> String {
    let digest = Sha256::new().chain_update(b"resumes ").chain_update(resumed).finalize();
    let mut id = [0; RESUMING_ID_BYTES];
    id.copy_from_slice(&digest[..RESUMING_ID_BYTES]);
    ObjectId::from_bytes(id).to_hex()
}
