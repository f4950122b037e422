//! The work of a run: its records, one type after the other.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    Run,
    finish::{count_newcomers, finish},
    gaps::gaps,
    pass::Pass,
};
use crate::{
    domain::{
        counts::Counts, document::message::MessageIds, field_value::Date, importer::Importer, operation::Operation,
        progress_step::ProgressStep, record_type::RecordType, selection::Selection, state::State,
    },
    engine::{
        attempts::Stop,
        choice::choose,
        convert::{
            Contacts, Converter, EarlierPlans, Memberships, Messages, Newcomers, Rooms, StagedThreads, Survey, Users,
        },
    },
    repository::{Checkpoint, OperationUpdate, ReceiptSummary, RunStart, with_default_timeout},
};

/// The step at which the operation is to stay, once it is at one, and the one that it is being brought to.
#[derive(Debug, Default)]
pub(super) struct KeptStep(Mutex<(Option<ProgressStep>, Option<ProgressStep>)>);

impl KeptStep {
    pub(super) fn get(&self) -> Option<ProgressStep> {
        self.0.lock().0
    }

    /// The step whose write has no answer yet. It may have been stored.
    pub(super) fn next(&self) -> Option<ProgressStep> {
        self.0.lock().1
    }

    fn begin(&self, next: ProgressStep) {
        self.0.lock().1 = Some(next);
    }

    fn set(&self, step: ProgressStep) {
        *self.0.lock() = (Some(step), None);
    }
}

/// The types of records in Rocket.Chat's order, each with its step.
///
/// Source: `apps/meteor/app/importer/server/classes/Importer.ts` (`startImport`).
const TYPES: [(RecordType, ProgressStep); 4] = [
    (RecordType::User, ProgressStep::ImportingUsers),
    (RecordType::Contact, ProgressStep::ImportingContacts),
    (RecordType::Channel, ProgressStep::ImportingChannels),
    (RecordType::Message, ProgressStep::ImportingMessages),
];
/// The steps of a run up to its end.
const STEPS: [ProgressStep; 5] = [
    ProgressStep::ImportingUsers,
    ProgressStep::ImportingContacts,
    ProgressStep::ImportingChannels,
    ProgressStep::ImportingMessages,
    ProgressStep::Finishing,
];

/// The operation of a run, and its user.
struct Subject<'a> {
    root: &'a str,
    importer: Importer,
    selection: Option<&'a str>,
    /// The user who imports.
    user: &'a str,
    threads: StagedThreads,
}

impl<'a> Subject<'a> {
    fn new(operation: &'a Operation, id: &'a str) -> Self {
        Self {
            root: operation.root().unwrap_or(id),
            importer: operation.importer().unwrap_or(Importer::Api),
            selection: operation.selection(),
            user: operation.user().unwrap_or_default(),
            threads: match operation.importer() {
                // Loaded here, and not by Rocket.Chat.
                Some(Importer::Slack) if operation.is_loaded() => StagedThreads::Counted,
                _ => StagedThreads::AsInSource,
            },
        }
    }

    /// Whether there may be other records than users, or a selection of them.
    fn is_chosen_from(&self) -> bool {
        self.importer != Importer::Api || self.selection.is_some()
    }

    fn has(&self, kind: RecordType) -> bool {
        kind == RecordType::User || self.is_chosen_from()
    }
}

/// How far the receipts of a run have come.
struct Processed {
    summary: ReceiptSummary,
    next_number: u32,
    plans: Arc<EarlierPlans>,
}

impl Run<'_> {
    /// Processes every record. `kept` holds the step that the operation keeps meanwhile.
    pub(super) async fn work(&self, stop: &CancellationToken, kept: &KeptStep) -> Result<(), Stop> {
        let operation = with_default_timeout(self.repositories.imports.find(&self.id)).await?.ok_or(Stop::Ended)?;
        let (checkpoint, old_total) =
            with_default_timeout(self.repositories.leases.checkpoint(&self.kept.lease)).await?;
        if operation.state() != Some(State::Importing) && !self.is_overwritten(&operation, checkpoint).await? {
            return Err(Stop::Ended);
        }
        let subject = Subject::new(&operation, &self.id);
        self.throttle.bound(operation.pace().or(self.pace));
        if subject.is_chosen_from() {
            self.throttle.mind(self.repositories, &self.kept.lease).await;
        }
        let (start, summary) = match checkpoint {
            Checkpoint::Nothing => return Err(Stop::NotOurs),
            Checkpoint::Claimed => (self.open(&operation, &subject, old_total, stop).await?, ReceiptSummary::default()),
            Checkpoint::Counted(start) => (start, self.fence().await?),
        };
        // Whatever the step was, this write tells an instance that held the lease before that it no longer does.
        let reached = operation.step().filter(|_| operation.state() == Some(State::Importing));
        let reached = reached.filter(|reached| *reached != ProgressStep::ImportingStarted);
        let total = Some(start.total).filter(|total| subject.is_chosen_from() && *total != operation.count("total"));
        self.keep(reached.unwrap_or(ProgressStep::ImportingUsers), total, kept).await?;
        let stored = with_default_timeout(self.repositories.imports.find(&self.id)).await?.ok_or(Stop::Ended)?.counts();
        let plans = match checkpoint {
            // Nobody was there before.
            Checkpoint::Claimed if subject.root == self.id => Vec::new(),
            _ => self.patiently(self.repositories.receipts.plans_left(subject.root), stop).await?,
        };
        let plans = Arc::new(EarlierPlans::new(plans));
        let mut processed = Processed { next_number: summary.next_number, summary, plans };
        self.reset_progress(start, &processed.summary, stored);
        for (kind, step) in TYPES.into_iter().filter(|(kind, _)| subject.has(*kind)) {
            if place_of(step) > kept.get().and_then(place_of) {
                self.keep(step, None, kept).await?;
            }
            self.import(kind, &subject, start, &mut processed, stop).await?;
        }
        self.reconcile(&subject, start.total, stop).await?;
        if subject.is_chosen_from() {
            self.keep(ProgressStep::Finishing, None, kept).await?;
            self.patiently(finish(self.repositories, &operation, subject.root), stop).await?;
        } else {
            self.patiently(count_newcomers(self.repositories, &self.id, subject.root), stop).await?;
        }
        Ok(())
    }

    async fn keep(&self, step: ProgressStep, total: Option<u64>, kept: &KeptStep) -> Result<(), Stop> {
        kept.begin(step);
        self.write(&OperationUpdate { step: Some(step), total, ..OperationUpdate::default() }).await?;
        kept.set(step);
        Ok(())
    }

    /// Whether somebody else has given the status of an operation that was begun and is not over. Rocket.Chat does so in its
    /// `getImportFileData`, and when it starts the operation itself.
    async fn is_overwritten(&self, operation: &Operation, checkpoint: Checkpoint) -> Result<bool, Stop> {
        let Checkpoint::Counted(start) = checkpoint else { return Ok(false) };
        if !operation.is_valid() || matches!(operation.state(), Some(State::Error | State::Canceled)) {
            return Ok(false);
        }
        let receipts = self.patiently(self.repositories.receipts.summary(&self.id), &self.shutdown).await?;
        let mut counts = start.counts_before();
        counts += receipts.counts;
        let is_over = counts.processed() >= start.total && operation.state() == Some(State::Done);
        Ok(!is_over)
    }

    /// The very beginning: the records are adopted, chosen from and counted, and what was counted when users were staged
    /// must be there.
    async fn open(
        &self,
        operation: &Operation,
        subject: &Subject<'_>,
        old_total: Option<u64>,
        stop: &CancellationToken,
    ) -> Result<RunStart, Stop> {
        let found = if subject.is_chosen_from() {
            self.count_chosen(subject, stop).await?
        } else {
            let (root, staging) = (subject.root, &self.repositories.staging);
            let count = staging.count_importable(root, RecordType::User, operation.count("total"));
            // What is adopted meanwhile is counted in either case.
            self.patiently(async { tokio::try_join!(staging.adopt(root), count) }, stop).await?.1
        };
        let start = match old_total {
            // A release without receipts removed what it had imported.
            Some(total) => RunStart { total, completed_before: total.saturating_sub(found), keeps_failures: true },
            None if subject.is_chosen_from() => RunStart { total: found, ..RunStart::default() },
            None => RunStart { total: operation.count("total"), ..RunStart::default() },
        };
        let expected = start.total - start.completed_before;
        if found != expected {
            return Err(Stop::Failed(difference(found, expected, "between staging and the run")));
        }
        if with_default_timeout(self.repositories.leases.store_start(&self.kept.lease, start)).await? {
            Ok(start)
        } else {
            Err(Stop::LeaseLost)
        }
    }

    /// Adopts the records of a file, chooses from them and counts them.
    async fn count_chosen(&self, subject: &Subject<'_>, stop: &CancellationToken) -> Result<u64, Stop> {
        let staging = &self.repositories.staging;
        let survey = self.patiently(self.choose(subject), stop).await?;
        // Counting them once more takes as long as reading them.
        let mut found = survey.messages();
        // Set before only if this is done again.
        let _ = self.survey.set(Arc::new(survey));
        for kind in RecordType::ALL.into_iter().filter(|kind| *kind != RecordType::Message) {
            found += self.patiently(staging.count(subject.root, kind), stop).await?;
        }
        Ok(found)
    }

    async fn choose(&self, subject: &Subject<'_>) -> Result<Survey, crate::repository::RepositoryError> {
        let selection = match subject.selection {
            Some(id) => self.repositories.selections.find(id).await?.unwrap_or_else(Selection::everything),
            None => Selection::everything(),
        };
        choose(self.repositories, subject.root, subject.importer, &selection, subject.threads).await
    }

    fn reset_progress(&self, start: RunStart, summary: &ReceiptSummary, stored: Counts) {
        let mut counts = start.counts_before();
        counts += summary.counts;
        self.progress.reset(counts, stored, start.total.saturating_sub(counts.processed()));
    }

    /// Passes over the records of one type that have no receipt, until none is left.
    async fn import(
        &self,
        kind: RecordType,
        subject: &Subject<'_>,
        start: RunStart,
        processed: &mut Processed,
        stop: &CancellationToken,
    ) -> Result<(), Stop> {
        let Subject { root, importer, user, .. } = *subject;
        match kind {
            RecordType::User => {
                let email_2fa = with_default_timeout(self.repositories.settings.email_2fa_opt_in()).await?;
                let rules = with_default_timeout(self.repositories.leases.rules(&self.kept.lease)).await?;
                let joins = rules.joins_default_channels.unwrap_or(importer != Importer::Api);
                let memberships = with_default_timeout(Memberships::new(self.repositories, joins)).await?;
                let mut converter = Users::new(self.repositories, rules, email_2fa, memberships);
                if importer != Importer::Api {
                    converter = converter.of_file(with_default_timeout(Newcomers::new(self.repositories)).await?);
                }
                self.passes(converter, root, start, processed, stop).await
            }
            RecordType::Contact => {
                let began = with_default_timeout(self.repositories.leases.began(&self.id)).await?;
                let began = began.unwrap_or_else(Date::now);
                let converter = Contacts::new(self.repositories, root, importer.key(), began);
                self.passes(self.patiently(converter, stop).await?, root, start, processed, stop).await
            }
            RecordType::Channel => {
                let converter = Rooms::new(self.repositories, root, importer.key(), user);
                self.passes(self.patiently(converter, stop).await?, root, start, processed, stop).await
            }
            RecordType::Message => {
                let survey = self.survey(subject, stop).await?;
                let hidden = with_default_timeout(self.repositories.settings.hidden_types()).await?;
                let converter = Messages::new(self.repositories, root, message_ids(importer), survey, hidden);
                self.passes(converter, root, start, processed, stop).await
            }
            // Not staged.
            RecordType::File | RecordType::Avatar => Ok(()),
        }
    }

    /// The survey of all messages, read once by each instance.
    async fn survey(&self, subject: &Subject<'_>, stop: &CancellationToken) -> Result<Arc<Survey>, Stop> {
        if let Some(survey) = self.survey.get() {
            return Ok(Arc::clone(survey));
        }
        let read = Survey::read(self.repositories, subject.root, subject.threads);
        let survey = Arc::new(self.patiently(read, stop).await?);
        Ok(Arc::clone(self.survey.get_or_init(|| survey)))
    }

    async fn passes<C: Converter>(
        &self,
        converter: C,
        root: &str,
        start: RunStart,
        processed: &mut Processed,
        stop: &CancellationToken,
    ) -> Result<(), Stop> {
        let converter = Arc::new(converter);
        let mut gaps_left = gaps(processed.summary.done(C::TYPE));
        loop {
            let pass = Pass {
                repositories: self.repositories,
                converter: Arc::clone(&converter),
                lease: &self.kept.lease,
                root,
                keeps_failures: start.keeps_failures,
                progress: &self.progress,
                throttle: &self.throttle,
                stop,
                plans: &processed.plans,
            };
            let count = pass.run(gaps_left, &mut processed.next_number).await?;
            if stop.is_cancelled() {
                return Err(Stop::Shutdown);
            }
            if count == 0 {
                return Ok(());
            }
            processed.summary = self.patiently(self.repositories.receipts.summary(&self.id), stop).await?;
            self.reset_progress(start, &processed.summary, self.progress.last_stored());
            gaps_left = gaps(processed.summary.done(C::TYPE));
            let staging = &self.repositories.staging;
            if !self.patiently(staging.has_any(root, C::TYPE, &gaps_left), stop).await? {
                return Ok(());
            }
        }
    }

    /// Compares the records of the receipts with the staged ones. Records that another process adds or takes make the import fail.
    async fn reconcile(&self, subject: &Subject<'_>, total: u64, stop: &CancellationToken) -> Result<(), Stop> {
        let processed = self.progress.actual().processed();
        let kinds: Vec<RecordType> = RecordType::ALL.into_iter().filter(|kind| subject.has(*kind)).collect();
        let added = self.patiently(self.repositories.staging.count_unlabelled(&kinds, total), stop).await?;
        if processed == total && added == 0 {
            return Ok(());
        }
        let root = subject.root;
        log::debug!("operation {}: {processed} of {total} records of {root} processed, {added} added", self.id);
        Err(Stop::Failed(difference(processed + added, total, "during the run")))
    }

    /// The last counters and steps, from the step that was kept on. What was stored before is stored by a majority when
    /// `done` is.
    pub(super) async fn close(&self, kept: Option<ProgressStep>) -> Result<(), Stop> {
        let counts = self.progress.actual();
        self.write(&OperationUpdate { counts: Some(counts), ..OperationUpdate::default() }).await?;
        self.progress.stored(counts);
        let next = kept.and_then(place_of).map_or(0, |kept| kept + 1);
        for step in STEPS.into_iter().skip(next).chain([ProgressStep::Done]) {
            self.write(&OperationUpdate { step: Some(step), ..OperationUpdate::default() }).await?;
        }
        // If this fails, the lease runs out, and the instance that finds it sees that the operation is done.
        if let Err(error) = self.leave().await {
            log::debug!("the lease on operation {} is left to run out: {error}", self.id);
        }
        Ok(())
    }
}

fn place_of(step: ProgressStep) -> Option<usize> {
    STEPS.iter().position(|known| *known == step)
}

const fn message_ids(importer: Importer) -> MessageIds {
    match importer {
        Importer::Records => MessageIds::OfFile { importer: Importer::Records.key() },
        _ => MessageIds::Staged,
    }
}

/// In words, how many staged records somebody else has added or taken.
fn difference(found: u64, expected: u64, when: &str) -> String {
    let what = |number: u64| {
        if number == 1 { "1 staged record was".to_owned() } else { format!("{number} staged records were") }
    };
    if found < expected {
        format!("{} removed by another process {when}", what(expected - found))
    } else {
        format!("{} added by another process {when}", what(found - expected))
    }
}
