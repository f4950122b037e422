//! The users before the accounts of the workspace: the server says what a run would do with each.

use std::io;

use reqwest::StatusCode;

use super::{
    batches::{KeptUser, KeptUsers},
    disk,
    foreseen::{Plan, is_staged},
    passwords::Passwords,
    proxy_limit,
};
use crate::{
    cli::{
        CommandError,
        console::{Console, Unit},
        pace::Pace,
    },
    client::{CheckUpload, CheckedList, Client, ClientError, ForeseenLine, ForeseenProblem, Lines, SURE_BYTES},
};

/// Below the 50 MiB that the service takes.
const PART_BYTES: usize = 40 * 1024 * 1024;
/// So many answers come between two words about them.
const SHOWN_EVERY: u64 = 100;
/// More than a user alone has around it in a body of `import.addUsers`.
const AROUND_A_USER: usize = 128;

/// The way of users to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In the body of a request.
    Body,
    /// In an upload, because a proxy takes no body of that length.
    Upload,
    /// In the bodies of several requests, because uploads are not possible either. Users of one do not know those of another.
    Parts,
}

/// What became of a request.
enum Asked {
    Answered,
    /// The server cannot say what a run would do.
    Unable,
    TooLarge,
}

/// A request: users as JSON lines, each on its own line of the file where that can be.
struct Part {
    body: Vec<u8>,
    users: u64,
    /// The place of its first user among all.
    begin: u64,
    /// The line of its last user.
    last_line: u64,
}

/// A server that is to say what a run would do.
pub(super) struct Foresight<'a> {
    pub(super) client: &'a Client,
    pub(super) console: &'a Console,
    /// The rules, as parameters of `import.check`.
    pub(super) parameters: Vec<(String, String)>,
    /// Whether users who would fail are among the rejected ones of the plan.
    pub(super) rejects_failing: bool,
}

/// Users, and what the server has said of them so far.
struct Course<'a> {
    users: &'a mut KeptUsers,
    total: u64,
    plan: Plan,
    passwords: Option<&'a mut Passwords>,
    pace: Pace,
}

impl Foresight<'_> {
    /// Asks the server about all users; `None` if it cannot say. Those who are to be staged get a password where passwords are
    /// made.
    pub(super) async fn foresee(
        &self,
        users: &mut KeptUsers,
        total: u64,
        passwords: Option<&mut Passwords>,
    ) -> Result<Option<Plan>, CommandError> {
        let plan = Plan::new(self.rejects_failing).map_err(|error| disk(&error))?;
        let mut course = Course { users, total, plan, passwords, pace: Pace::of(Unit::Count) };
        let (mut limit, mut way) = (PART_BYTES, Way::Body);
        self.console.begin("checked");
        course.show(self.console);
        while let Some(part) = read_part(course.users, limit).map_err(|error| disk(&error))? {
            let begin = part.begin;
            let size = part.body.len();
            match (self.ask_about(&part, way, &mut course).await?, way) {
                (Asked::Answered, _) => continue,
                (Asked::Unable, _) => {
                    course.users.go_to(0).map_err(|error| disk(&error))?;
                    self.console.end();
                    return Ok(None);
                }
                (Asked::TooLarge, _) if part.users == 1 && way != Way::Upload => {
                    return Err(proxy_limit::too_large_alone(part.last_line, size));
                }
                (Asked::TooLarge, Way::Body) => {
                    self.try_largest(course.users, &part).await?;
                    way = Way::Upload;
                    self.console.notice(&proxy_limit::in_pieces(size));
                }
                (Asked::TooLarge, Way::Upload | Way::Parts) => {
                    way = Way::Parts;
                    limit = size / 2;
                    self.console.notice(&proxy_limit::halved(size));
                }
            }
            course.users.go_to(begin).map_err(|error| disk(&error))?;
        }
        self.console.end();
        Ok(Some(course.plan))
    }

    async fn ask_about(&self, part: &Part, way: Way, course: &mut Course<'_>) -> Result<Asked, CommandError> {
        if way != Way::Upload {
            return self.ask(CheckedList::Body(&part.body), part, course).await;
        }
        let Some(upload) = self.upload(&part.body).await? else { return Ok(Asked::TooLarge) };
        let asked = self.ask(CheckedList::Upload(&upload), part, course).await;
        self.client.remove_checked(upload).await;
        asked
    }

    async fn ask(&self, list: CheckedList<'_>, part: &Part, course: &mut Course<'_>) -> Result<Asked, CommandError> {
        let mut answer = match self.client.foresee(list, &self.parameters).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Asked::Unable),
            Err(error) if is_too_large(&error) => return Ok(Asked::TooLarge),
            Err(error) => return Err(error.into()),
        };
        course.users.go_to(part.begin).map_err(|error| disk(&error))?;
        course.take(&mut answer, part.users, self.console).await?;
        Ok(Asked::Answered)
    }

    /// Sends a list in pieces; `None` where that is not possible.
    async fn upload(&self, list: &[u8]) -> Result<Option<CheckUpload>, CommandError> {
        let (total, mut pace) = (list.len() as u64, Pace::of(Unit::Bytes));
        self.console.begin_with("sent", Unit::Bytes, true);
        let seen = |done| self.console.progress(done, total, &pace.note(done, Some(total)));
        let upload = self.client.upload_for_check(list, seen).await?;
        self.console.begin("checked");
        Ok(upload)
    }

    /// Sends the largest user of the part alone: an upload would go through the proxy in pieces, and the users when they are
    /// staged would not.
    ///
    /// # Errors
    /// When the proxy does not take this user.
    async fn try_largest(&self, users: &mut KeptUsers, part: &Part) -> Result<(), CommandError> {
        users.go_to(part.begin).map_err(|error| disk(&error))?;
        let mut largest: Option<KeptUser> = None;
        for _ in 0..part.users {
            let Some(user) = users.next().map_err(|error| disk(&error))? else { break };
            if largest.as_ref().is_none_or(|largest| largest.text.len() < user.text.len()) {
                largest = Some(user);
            }
        }
        let Some(KeptUser { line, text }) = largest else { return Ok(()) };
        if text.len() + AROUND_A_USER <= SURE_BYTES {
            return Ok(());
        }
        let mut body = text.into_bytes();
        // Blank lines mean nothing.
        body.extend([b'\n'; AROUND_A_USER]);
        match self.client.foresee(CheckedList::Body(&body), &self.parameters).await {
            Ok(Some(mut answer)) => {
                // A user has one check at a time, so this one has to be over before the next.
                while answer.next::<ForeseenLine>().await?.is_some() {}
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) if is_too_large(&error) => Err(proxy_limit::too_large_alone(line, body.len())),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_too_large(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. })
}

fn read_part(users: &mut KeptUsers, limit: usize) -> io::Result<Option<Part>> {
    let mut part = Part { body: Vec::new(), users: 0, begin: users.place(), last_line: 0 };
    loop {
        let place = users.place();
        let Some(user) = users.next()? else { break };
        let line = sent_line(&user, part.last_line);
        let blanks = usize::try_from(line - part.last_line - 1).unwrap_or_default();
        if part.users > 0 && part.body.len() + blanks + user.text.len() >= limit {
            users.go_to(place)?;
            break;
        }
        part.body.extend(std::iter::repeat_n(b'\n', blanks));
        part.body.extend_from_slice(user.text.as_bytes());
        part.body.push(b'\n');
        part.users += 1;
        part.last_line = line;
    }
    Ok((part.users > 0).then_some(part))
}

/// The line on which the user stands in the request. Several may be on one line of the file.
fn sent_line(user: &KeptUser, last: u64) -> u64 {
    user.line.max(last + 1)
}

impl Course<'_> {
    /// Takes the answer about the next `count` users.
    async fn take(&mut self, answer: &mut Lines<'_>, count: u64, console: &Console) -> Result<(), CommandError> {
        let (mut last_line, mut seen) = (0, 0);
        let mut problem: Option<ForeseenProblem> = None;
        let mut is_whole = false;
        while let Some(line) = answer.next::<ForeseenLine>().await? {
            if let Some(reason) = line.error {
                return Err(CommandError::Server(reason));
            }
            is_whole |= line.end.is_some();
            match line.problem.filter(|found| found.severity != "warning") {
                // Each part of the file is answered with it.
                Some(ForeseenProblem { line: None, reason, .. }) => self.plan.foreseen.wrong_setting = Some(reason),
                Some(found) => problem = Some(found),
                None => {}
            }
            let Some(record) = line.record else { continue };
            while seen < count {
                let Some(user) = self.users.next().map_err(|error| disk(&error))? else { break };
                seen += 1;
                last_line = sent_line(&user, last_line);
                if last_line >= record.line {
                    // Also to those who would not get an account: until the run, that may change.
                    let user = match &mut self.passwords {
                        Some(passwords) if is_staged(&record.outcome) => passwords.give(user)?,
                        _ => user,
                    };
                    self.plan.add(&user, record).map_err(|error| disk(&error))?;
                    break;
                }
                self.plan.leave_out(&user, problem.take()).map_err(|error| disk(&error))?;
            }
            if self.plan.seen().is_multiple_of(SHOWN_EVERY) {
                self.show(console);
            }
        }
        if !is_whole {
            return Err(CommandError::Server("the answer of the check ended before it was whole".to_owned()));
        }
        while seen < count {
            let Some(user) = self.users.next().map_err(|error| disk(&error))? else { break };
            seen += 1;
            let problem = problem.take().filter(|problem| problem.line > Some(last_line));
            self.plan.leave_out(&user, problem).map_err(|error| disk(&error))?;
        }
        self.show(console);
        Ok(())
    }

    fn show(&mut self, console: &Console) {
        let seen = self.plan.seen();
        console.progress(seen, self.total, &self.pace.note(seen, Some(self.total)));
    }
}
