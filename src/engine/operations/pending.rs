//! The beginning of operations that fetch what imports left to be fetched.

use super::{Operations, Refusal};
use crate::{
    domain::{
        importer::Importer,
        matching::Rules,
        operation::{Operation, State},
        progress_step::ProgressStep,
    },
    repository::{Claim, Origin, Repositories, RepositoryError, with_default_timeout},
};

impl Operations {
    /// Begins to fetch what this importer fetches, as an operation of its own, and returns how much there is. One that goes
    /// on already is left to go on.
    ///
    /// # Errors
    /// With the reason, or when the database does not answer. The operation may have been made all the same, and is then
    /// taken up later.
    pub(crate) async fn fetch(&self, user_id: &str, importer: Importer) -> Result<u64, Refusal> {
        let (this, user_id) = (self.clone(), user_id.to_owned());
        self.to_the_end(async move { this.begin_to_fetch(&user_id, importer, Origin::Call).await }).await
    }

    /// Begins to fetch what an import left, if it left anything, once; returns how much there is.
    ///
    /// # Errors
    /// As for a call.
    pub(in crate::engine) async fn follow(
        &self,
        import: &str,
        user_id: &str,
        importer: Importer,
    ) -> Result<u64, Refusal> {
        if self.count(importer).await? == 0 {
            return Ok(0);
        }
        self.begin_to_fetch(user_id, importer, Origin::Follows(import)).await
    }

    /// Goes on with an operation that fetched, and that something else than a call ended, once.
    ///
    /// # Errors
    /// As for a call.
    pub(in crate::engine) async fn fetch_on(&self, ended: &Operation, importer: Importer) -> Result<u64, Refusal> {
        self.begin_to_fetch(ended.user().unwrap_or_default(), importer, Origin::Resumes(ended)).await
    }

    /// As long as it takes: the database looks at every message.
    async fn count(&self, importer: Importer) -> Result<u64, RepositoryError> {
        let Repositories { pending_accounts, pending_messages, .. } = self.repositories();
        match importer {
            Importer::PendingFiles => pending_messages.count().await,
            _ => pending_accounts.count().await,
        }
    }

    async fn begin_to_fetch(&self, user_id: &str, importer: Importer, origin: Origin<'_>) -> Result<u64, Refusal> {
        let Repositories { imports, leases, .. } = self.repositories();
        if let Some(going_on) = with_default_timeout(imports.going_on(importer)).await? {
            // It does not have what the import left that is to be followed.
            return if let Origin::Call = origin { Ok(going_on.count("total")) } else { Err(Refusal::NotFinished) };
        }
        let newest = with_default_timeout(imports.newest()).await?;
        let is_in_the_way = newest.is_some_and(|newest| {
            let is_over = matches!(newest.state(), None | Some(State::Done | State::Error | State::Canceled));
            !is_over && !newest.importer().is_some_and(Importer::is_pending)
        });
        if is_in_the_way {
            return Err(Refusal::NotFinished);
        }
        let made = with_default_timeout(imports.create_pending(user_id, importer, origin)).await?;
        let Some(made) = made else { return Ok(0) };
        let id = made.id().unwrap_or_default();
        with_default_timeout(imports.prepare_pending(id)).await?;
        let records = self.count(importer).await?;
        if !with_default_timeout(imports.count_pending(id, records)).await? || records == 0 {
            return Ok(records);
        }
        let step = ProgressStep::ImportingFiles;
        let claim = leases.claim(id, id, step, step, Rules::of_api().into());
        if let Claim::Ours(lease) = with_default_timeout(claim).await? {
            self.engine.begin(lease);
        }
        Ok(records)
    }
}
