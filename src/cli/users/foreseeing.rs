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
    cli::{CommandError, console::Console},
    client::{Client, ClientError, ForeseenLine, ForeseenProblem, Lines},
};

/// Below the 50 MiB that the service takes.
const PART_BYTES: usize = 40 * 1024 * 1024;

/// A request: users as JSON lines, each on its own line of the file where that can be.
struct Part {
    body: Vec<u8>,
    users: u64,
    /// The place of its first user among all.
    begin: u64,
    /// The line of its last user.
    last_line: u64,
}

/// Asks the server about all users; `None` if it cannot say. Those who are to be staged get a password where passwords are
/// made. With `rejects_failing` users who would fail are among the rejected ones.
pub(super) async fn foresee(
    client: &Client,
    users: &mut KeptUsers,
    total: u64,
    parameters: &[(String, String)],
    rejects_failing: bool,
    mut passwords: Option<&mut Passwords>,
    console: &Console,
) -> Result<Option<Plan>, CommandError> {
    let mut plan = Plan::new(rejects_failing).map_err(|error| disk(&error))?;
    let (mut limit, mut done) = (PART_BYTES, 0);
    console.begin("checked");
    loop {
        let begin = users.place();
        let Some(part) = read_part(users, limit).map_err(|error| disk(&error))? else { break };
        let mut answer = match client.foresee(&part.body, parameters).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                users.go_to(0).map_err(|error| disk(&error))?;
                console.end();
                return Ok(None);
            }
            Err(ClientError::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, .. }) => {
                if part.users == 1 {
                    return Err(proxy_limit::too_large_alone(part.last_line, part.body.len()));
                }
                limit = part.body.len() / 2;
                console.notice(&proxy_limit::halved(part.body.len()));
                users.go_to(begin).map_err(|error| disk(&error))?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        users.go_to(part.begin).map_err(|error| disk(&error))?;
        take(&mut answer, users, part.users, &mut plan, passwords.as_deref_mut(), |in_part| {
            console.progress(done + in_part, total, "");
        })
        .await?;
        done += part.users;
    }
    console.end();
    Ok(Some(plan))
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

async fn take(
    answer: &mut Lines<'_>,
    users: &mut KeptUsers,
    count: u64,
    plan: &mut Plan,
    mut passwords: Option<&mut Passwords>,
    progress: impl Fn(u64),
) -> Result<(), CommandError> {
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
            Some(ForeseenProblem { line: None, reason, .. }) => plan.foreseen.wrong_setting = Some(reason),
            Some(found) => problem = Some(found),
            None => {}
        }
        let Some(record) = line.record else { continue };
        while seen < count {
            let Some(user) = users.next().map_err(|error| disk(&error))? else { break };
            seen += 1;
            last_line = sent_line(&user, last_line);
            if last_line >= record.line {
                // Also to those who would not get an account: until the run, that may change.
                let user = match &mut passwords {
                    Some(passwords) if is_staged(&record.outcome) => passwords.give(user)?,
                    _ => user,
                };
                plan.add(&user, record).map_err(|error| disk(&error))?;
                break;
            }
            plan.leave_out(&user, problem.take()).map_err(|error| disk(&error))?;
        }
        progress(seen);
    }
    if !is_whole {
        return Err(CommandError::Server("the answer of the check ended before it was whole".to_owned()));
    }
    while seen < count {
        let Some(user) = users.next().map_err(|error| disk(&error))? else { break };
        seen += 1;
        let problem = problem.take().filter(|problem| problem.line > Some(last_line));
        plan.leave_out(&user, problem).map_err(|error| disk(&error))?;
    }
    Ok(())
}
