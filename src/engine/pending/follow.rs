//! Files and pictures follow an import of a file by themselves.

use crate::{
    domain::{field_value::Date, importer::Importer},
    engine::{Engine, Refusal},
    repository::{Repositories, with_default_timeout},
};
use std::time::Duration;

/// How long an import stays the newest operation after its end, so that everybody who follows it sees the end.
const REST: Duration = Duration::from_secs(3);
/// The last one is the newest operation afterwards.
const FOLLOWERS: [Importer; 2] = [Importer::PendingAvatars, Importer::PendingFiles];

/// Begins to fetch what imports left to be fetched that are done.
pub(super) async fn follow(engine: &Engine) -> Result<(), Refusal> {
    let Repositories { imports, .. } = &engine.shared.repositories;
    let rest = i64::try_from(REST.as_millis()).unwrap_or(i64::MAX);
    let before = Date::from_epoch_millis(Date::now().epoch_millis().saturating_sub(rest));
    for operation in with_default_timeout(imports.to_be_followed(before)).await? {
        let Some(id) = operation.id() else { continue };
        for importer in FOLLOWERS {
            let fetched = engine.operations().follow(id, operation.user().unwrap_or_default(), importer).await?;
            if fetched > 0 {
                log::info!("{} records of operation {id} are fetched by {}", fetched, importer.name());
            }
        }
        with_default_timeout(imports.note_followed(id)).await?;
    }
    Ok(())
}
