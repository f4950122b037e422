//! The account of an import: each element of its file is imported, failed or passed over, or yet waits for the run.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{
        counts::Counts,
        operation::{Operation, State},
        progress_step::ProgressStep,
        record_type::RecordType,
        room_history::HistoryCheck,
    },
    repository::{Repositories, RepositoryError, with_default_timeout},
};

/// What the notes say of new accounts.
const MEMBERSHIPS: &str = "memberships of channels made for new accounts";
const WITHOUT_PASSWORD: &str = "new accounts without a password";

/// The account of an import with all operations that go on with each other.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) totals: Vec<Total>,
    /// Facts about staged records, in words, and the number of records.
    pub(crate) notes: BTreeMap<String, u64>,
    /// What the end of each run found in the histories of rooms; `None` if none has come to it.
    pub(crate) history: Option<HistoryCheck>,
    /// The operation whose receipts hold the failed records.
    pub(crate) last_run: Option<String>,
}

/// The elements of one type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Total {
    /// A record type's `dataType`, or a word for something else.
    pub(crate) kind: String,
    pub(crate) elements: u64,
    pub(crate) imported: u64,
    pub(crate) failed: u64,
    pub(crate) passed_over: u64,
}

impl Total {
    /// The elements that the run has yet to process.
    pub(crate) const fn waiting(&self) -> u64 {
        self.elements.saturating_sub(self.imported + self.failed + self.passed_over)
    }
}

/// Reads the account of the import that the operation `id` is one of.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn account(repositories: &Repositories, id: &str) -> Result<Account, RepositoryError> {
    let Repositories { imports, load_reports, receipts, staging, .. } = repositories;
    let operation = with_default_timeout(imports.find(id)).await?;
    let root = operation.as_ref().and_then(Operation::root).unwrap_or(id).to_owned();
    let operations = with_default_timeout(imports.of_root(&root)).await?;
    let progress = with_default_timeout(load_reports.progress(&root)).await?;
    let mut imported: BTreeMap<RecordType, u64> = BTreeMap::new();
    // Records that failed are staged still, and every further run tries them again.
    let (mut memberships, mut without_password) = (0, 0);
    let (mut failed, mut last_run): (BTreeMap<RecordType, Counts>, _) = (BTreeMap::new(), None);
    // At the end of a run, everything else that was staged was left out; those records are removed then.
    let mut processed: Option<BTreeMap<RecordType, u64>> = None;
    let mut history: Option<HistoryCheck> = None;
    for (operation, id) in operations.iter().filter_map(|operation| Some((operation, operation.id()?))) {
        let counts = with_default_timeout(receipts.counts(id)).await?;
        for (kind, counts) in &counts {
            *imported.entry(*kind).or_default() += counts.completed;
        }
        if !counts.is_empty() {
            last_run = Some(id.to_owned());
        }
        failed = counts;
        if let Some(check) = with_default_timeout(receipts.history(id)).await? {
            history = Some(history.unwrap_or_default().with(check));
        }
        let (joined, without) = with_default_timeout(receipts.newcomers(id)).await?;
        memberships += joined.values().sum::<u64>();
        without_password += without;
        if operation.state() == Some(State::Done) {
            let of = |kind: RecordType| {
                let imported = imported.get(&kind).copied().unwrap_or_default();
                imported + failed.get(&kind).copied().unwrap_or_default().error
            };
            processed = Some(RecordType::ALL.into_iter().map(|kind| (kind, of(kind))).collect());
        }
    }
    let has_begun = operations.iter().any(|operation| {
        operation.is_loaded()
            && !matches!(operation.step().map(ProgressStep::state), Some(State::Ready | State::Loading))
    });
    let mut totals = Vec::new();
    for kind in RecordType::ALL {
        let imported = imported.get(&kind).copied().unwrap_or_default();
        let failed = failed.get(&kind).copied().unwrap_or_default().error;
        let staged = match &progress {
            Some(progress) => progress.staged.of(kind),
            None => staged_without_file(&operations, kind).max(imported + failed),
        };
        // Nothing is left out before a run, and there may be millions of records.
        let left_out = match &processed {
            Some(processed) => staged.saturating_sub(processed.get(&kind).copied().unwrap_or_default()),
            None if has_begun => with_default_timeout(staging.count_left_out(&root, kind)).await?,
            None => 0,
        };
        totals.push(Total {
            kind: kind.data_type().to_owned(),
            elements: staged,
            imported,
            failed,
            passed_over: left_out,
        });
    }
    let progress = progress.unwrap_or_default();
    let kinds: BTreeSet<&String> = progress.failed.keys().chain(progress.passed_over.keys()).collect();
    for kind in kinds {
        let count = |counts: &BTreeMap<String, u64>| counts.get(kind).copied().unwrap_or_default();
        let (failed, passed_over) = (count(&progress.failed), count(&progress.passed_over));
        let position = totals.iter().position(|total| total.kind == *kind).unwrap_or_else(|| {
            totals.push(Total { kind: kind.clone(), elements: 0, imported: 0, failed: 0, passed_over: 0 });
            totals.len() - 1
        });
        let total = &mut totals[position];
        total.elements += failed + passed_over;
        total.failed += failed;
        total.passed_over += passed_over;
    }
    for kind in [RecordType::File, RecordType::Avatar] {
        let imported = imported.get(&kind).copied().unwrap_or_default();
        let failed = failed.get(&kind).copied().unwrap_or_default().error;
        let elements = if imported + failed == 0 { 0 } else { operations.iter().map(|one| one.count("total")).sum() };
        totals.push(Total { kind: kind.data_type().to_owned(), elements, imported, failed, passed_over: 0 });
    }
    totals.retain(|total| total.elements > 0);
    let mut notes = progress.notes;
    let facts = [(MEMBERSHIPS, memberships), (WITHOUT_PASSWORD, without_password)];
    notes.extend(facts.into_iter().filter(|(_, count)| *count > 0).map(|(note, count)| (note.to_owned(), count)));
    Ok(Account { totals, notes, history, last_run })
}

/// The records that calls staged for the first of the operations.
fn staged_without_file(operations: &[Operation], kind: RecordType) -> u64 {
    match kind {
        RecordType::User => operations.first().map(|operation| operation.count("users")).unwrap_or_default(),
        _ => 0,
    }
}
