//! What of an operation is run: what was left out is marked in the staging area, and people whom no list names, but whom
//! messages need, are added there. Done again, it comes to the same.

use std::collections::HashSet;

use futures::TryStreamExt as _;
use indexmap::IndexSet;

use super::convert::{Directory, StagedThreads, Survey, seek};
use crate::{
    domain::{
        document::account::unlisted_person,
        importer::Importer,
        matching::{Decision, Rules},
        record_type::RecordType,
        selection::{LeftOutPerson, LeftOutRooms, Selection},
        staged::{ChannelType, ROCKET_CAT, StagedChannel, StagedContact, StagedUser},
    },
    repository::{ChoosableRecord, Mark, Repositories, RepositoryError, SoughtAccounts, StagedId},
};

/// Records that are decided together.
const DECIDED_AT_A_TIME: usize = 500;

/// Adopts the records of the root operation, which `importer` filled, marks what the selection leaves out, and makes
/// placeholders for the authors of the rest.
///
/// # Errors
/// Some may have been marked all the same.
pub(super) async fn choose(
    repositories: &Repositories,
    root: &str,
    importer: Importer,
    selection: &Selection,
    threads: StagedThreads,
) -> Result<Survey, RepositoryError> {
    let choosing = Choosing { repositories, root, selection };
    let Repositories { staged_choice, staging, .. } = repositories;
    staging.adopt_of(&RecordType::BESIDE_MESSAGES, root).await?;
    let (left_out, mut needed, named) = choosing.channels().await?;
    let survey = if *selection == Selection::everything() {
        // Either takes a second for a million messages.
        tokio::try_join!(staging.adopt(root), Survey::read(repositories, root, threads))?.1
    } else {
        staging.adopt(root).await?;
        choosing.contacts().await?;
        let rooms: Vec<&str> = left_out.import_ids().collect();
        staged_choice.leave_out_messages(root, &rooms).await?;
        Survey::read(repositories, root, threads).await?
    };
    needed.extend(survey.authors().map(str::to_owned));
    if importer == Importer::Csv {
        // The ids of CSV files are user names, and people who have an account need no row to be members or creators.
        needed.extend(choosing.with_accounts(named).await?);
    }
    needed.shift_remove(ROCKET_CAT);
    let listed = choosing.users(&needed).await?;
    choosing.add_unlisted(needed.into_iter().filter(|id| !listed.contains(id)).collect()).await?;
    Ok(survey)
}

struct Choosing<'a> {
    repositories: &'a Repositories,
    root: &'a str,
    selection: &'a Selection,
}

/// The marks that records of one type get, each when there are enough of them.
#[derive(Default)]
struct Marks {
    taken: Vec<StagedId>,
    placeholders: Vec<StagedId>,
    left_out: Vec<StagedId>,
}

impl Marks {
    fn add(&mut self, record: ChoosableRecord, mark: Mark) {
        let now = match (record.is_left_out, record.is_placeholder) {
            (true, _) => Mark::LeftOut,
            (false, true) => Mark::Placeholder,
            (false, false) => Mark::Taken,
        };
        if now != mark {
            self.of(mark).push(record.id);
        }
    }

    fn of(&mut self, mark: Mark) -> &mut Vec<StagedId> {
        match mark {
            Mark::Taken => &mut self.taken,
            Mark::Placeholder => &mut self.placeholders,
            Mark::LeftOut => &mut self.left_out,
        }
    }
}

impl Choosing<'_> {
    async fn mark(&self, mut marks: Marks) -> Result<(), RepositoryError> {
        for mark in [Mark::Taken, Mark::Placeholder, Mark::LeftOut] {
            self.repositories.staged_choice.mark(self.root, marks.of(mark), mark).await?;
        }
        Ok(())
    }

    /// Marks rooms; those that are left out, everybody whom direct messages need, and everybody whom rooms name.
    async fn channels(&self) -> Result<(LeftOutRooms, IndexSet<String>, HashSet<String>), RepositoryError> {
        let mut records = Box::pin(self.repositories.staged_choice.records(self.root, RecordType::Channel).await?);
        let (mut marks, mut left_out) = (Marks::default(), LeftOutRooms::default());
        let (mut needed, mut named, mut taken) = (IndexSet::new(), HashSet::new(), HashSet::new());
        while let Some(record) = records.try_next().await? {
            let staged = StagedChannel::new(&record.data);
            named.extend(staged.people().map(str::to_owned));
            if self.selection.takes_channel(staged) {
                taken.extend(staged.import_ids().map(str::to_owned));
                if staged.kind() == Some(ChannelType::DirectMessage) {
                    needed.extend(staged.members().map(str::to_owned));
                }
                marks.add(record, Mark::Taken);
            } else {
                left_out.add(staged);
                marks.add(record, Mark::LeftOut);
            }
        }
        self.mark(marks).await?;
        left_out.keep(&taken);
        Ok((left_out, needed, named))
    }

    async fn contacts(&self) -> Result<(), RepositoryError> {
        let mut records = Box::pin(self.repositories.staged_choice.records(self.root, RecordType::Contact).await?);
        let mut marks = Marks::default();
        while let Some(record) = records.try_next().await? {
            let is_taken = self.selection.takes_contact(StagedContact::new(&record.data));
            marks.add(record, if is_taken { Mark::Taken } else { Mark::LeftOut });
        }
        self.mark(marks).await
    }

    /// Marks people; the import ids of all who are in a list.
    async fn users(&self, needed: &IndexSet<String>) -> Result<HashSet<String>, RepositoryError> {
        let records = self.repositories.staged_choice.records(self.root, RecordType::User).await?;
        let mut chunks = Box::pin(records.try_chunks(DECIDED_AT_A_TIME));
        let mut listed = HashSet::new();
        while let Some(records) = chunks.try_next().await.map_err(|error| error.1)? {
            let is_needed =
                |record: &ChoosableRecord| StagedUser::new(&record.data).import_ids().any(|id| needed.contains(id));
            let mut marks = Marks::default();
            let mut left_out = Vec::new();
            for record in records {
                let staged = StagedUser::new(&record.data);
                listed.extend(staged.import_ids().map(str::to_owned));
                // People whom an attempt before has added are in no list.
                if record.is_placeholder && is_unlisted(&record, self.root) {
                    continue;
                }
                if self.selection.takes_user(staged) {
                    marks.add(record, Mark::Taken);
                } else {
                    left_out.push(record);
                }
            }
            let have_account = self.have_account(&left_out).await?;
            for (record, has_account) in left_out.into_iter().zip(have_account) {
                let mark = match LeftOutPerson::new(has_account, is_needed(&record)) {
                    LeftOutPerson::Nothing => Mark::LeftOut,
                    LeftOutPerson::Linked | LeftOutPerson::Placeholder => Mark::Placeholder,
                };
                marks.add(record, mark);
            }
            self.mark(marks).await?;
        }
        Ok(listed)
    }

    /// Whether each of these people has an account.
    async fn have_account(&self, records: &[ChoosableRecord]) -> Result<Vec<bool>, RepositoryError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut sought = SoughtAccounts::default();
        for record in records {
            seek(StagedUser::new(&record.data), &mut sought);
        }
        let directory = Directory::of(&self.repositories.matched_accounts, &sought).await?;
        let is_there = |record: &ChoosableRecord| {
            let decision = directory.decide(StagedUser::new(&record.data), Rules::of_files());
            !matches!(decision, Decision::Create { .. })
        };
        Ok(records.iter().map(is_there).collect())
    }

    /// Those of these user names that belong to an account, in any letter case.
    async fn with_accounts(&self, names: HashSet<String>) -> Result<Vec<String>, RepositoryError> {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        let mut with_accounts = Vec::new();
        for names in names.chunks(DECIDED_AT_A_TIME) {
            let sought = SoughtAccounts { usernames: names.to_vec(), ..SoughtAccounts::default() };
            let directory = Directory::of(&self.repositories.matched_accounts, &sought).await?;
            with_accounts.extend(names.iter().filter(|name| directory.has_username(name)).cloned());
        }
        Ok(with_accounts)
    }

    /// Stages those of these people whom no account has as an import id.
    async fn add_unlisted(&self, ids: Vec<String>) -> Result<(), RepositoryError> {
        for ids in ids.chunks(DECIDED_AT_A_TIME) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let known = self.repositories.people.known_import_ids(&ids).await?;
            for id in ids.into_iter().filter(|id| !known.contains(*id)) {
                let person = unlisted_person(id, None, None);
                self.repositories.staged_choice.add_person(self.root, id, &person).await?;
            }
        }
        Ok(())
    }
}

/// Whether the record was made for somebody whom no list names.
fn is_unlisted(record: &ChoosableRecord, root: &str) -> bool {
    let id = StagedUser::new(&record.data).first_import_id().unwrap_or_default();
    record.id == StagedId::of_unlisted_person(root, id)
}
