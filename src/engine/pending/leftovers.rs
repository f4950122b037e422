//! What instances left behind that died: operations that nobody works on, and bytes that belong to no upload.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    follow::{follow, resume},
    store::{Means, Placed, Store},
};
use crate::{
    domain::{field_value::Date, matching::Rules},
    engine::Engine,
    repository::{Claim, OwnUpload, Repositories, RepositoryError, Shelf, UploadKind, with_default_timeout},
};

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long an operation may stand still before it is taken up: the call that made it is at it.
const BEGINNING_PATIENCE: Duration = Duration::from_secs(10);
/// Uploads that are looked at together.
const UPLOADS_AT_A_TIME: i64 = 200;

/// Takes up operations that nobody works on, and removes bytes that belong to no upload, for as long as it is polled.
pub(in crate::engine) async fn look_after(engine: &Engine) {
    loop {
        if let Err(error) = take_up(engine).await {
            log::debug!("cannot look for operations that fetch: {error}");
        }
        if engine.shared.settings.resume_after_invalidation
            && let Err(refusal) = resume(engine).await
        {
            log::debug!("no fetching goes on by itself now: {refusal}");
        }
        if let Err(refusal) = follow(engine).await {
            log::debug!("nothing follows an import now: {refusal}");
        }
        if let Err(error) = remove_leftovers(engine).await {
            log::debug!("bytes of broken uploads cannot be removed now: {error}");
        }
        sleep(INTERVAL).await;
    }
}

async fn take_up(engine: &Engine) -> Result<(), RepositoryError> {
    let Repositories { imports, leases, .. } = &engine.shared.repositories;
    let patience = i64::try_from(BEGINNING_PATIENCE.as_millis()).unwrap_or(i64::MAX);
    let before = Date::from_epoch_millis(Date::now().epoch_millis().saturating_sub(patience));
    for operation in with_default_timeout(imports.pending_since(before)).await? {
        let (Some(id), Some(step)) = (operation.id(), operation.step()) else { continue };
        // An instance that died left its lease, which is taken over when it has run out.
        if with_default_timeout(leases.is_leased(id)).await? {
            continue;
        }
        if let Claim::Ours(lease) =
            with_default_timeout(leases.claim(id, id, step, step, Rules::of_api().into())).await?
        {
            log::info!("taking up operation {id}, which nobody works on");
            engine.begin(lease);
        }
    }
    Ok(())
}

/// Removes the bytes of uploads that were begun by operations that nobody works on, and that have no document.
async fn remove_leftovers(engine: &Engine) -> Result<(), RepositoryError> {
    let repositories = &engine.shared.repositories;
    let Repositories { leases, own_uploads, rocketchat_files, .. } = repositories;
    let begun = with_default_timeout(own_uploads.begun(UPLOADS_AT_A_TIME)).await?;
    if begun.is_empty() {
        return Ok(());
    }
    let settings = with_default_timeout(repositories.settings.files()).await?;
    let means =
        Means { repositories, fetch: &engine.shared.fetch, settings: &settings, write_pace: engine.write_pace() };
    for own in begun {
        if with_default_timeout(leases.is_leased(&own.operation)).await? {
            continue;
        }
        let shelf = if own.kind == UploadKind::Avatar { Shelf::Avatars } else { Shelf::Uploads };
        if let Some(upload) = with_default_timeout(rocketchat_files.complete_upload(shelf, &own.id)).await? {
            with_default_timeout(own_uploads.note_stored(&own.id, upload.size())).await?;
            continue;
        }
        if remove(means, shelf, &own).await {
            with_default_timeout(own_uploads.forget(&own.id)).await?;
            log::info!("removed what was left of the upload {}", own.id);
        }
    }
    Ok(())
}

/// False if its store cannot be used now.
async fn remove(means: Means<'_>, shelf: Shelf, own: &OwnUpload) -> bool {
    let Ok(store) = Store::holding(&own.at, means) else { return false };
    store.remove(Placed { shelf, id: &own.id, at: &own.at }).await.is_ok()
}
