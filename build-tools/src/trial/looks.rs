//! Looks at a system under a campaign: is anything wrong that should be right? Quick
//! ones while the clients go on, deep ones while they rest.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::answers::Answers;
use super::book::Book;
use super::clients::LIMIT;
use super::site::{PATIENCE, SHELL, Site};
use super::state::held;
use super::sums::{QuickSums, Sums};
use crate::bench::sql::{Session, TextRow};

/// What a look found.
#[derive(Default)]
pub(super) struct Looked {
    /// Acknowledged commits that are not there.
    pub(super) lost: usize,
    /// What is wrong.
    pub(super) problems: Vec<String>,
    /// History and numbers were emptied when the accounts' sum was this.
    pub(super) base: Option<i64>,
}

impl Looked {
    fn lost(&mut self, count: usize) {
        self.lost += count;
        if count > 0 {
            self.problems.push(format!("{count} commits lost"));
        }
    }

    fn sums(&mut self, agree: bool, sums: impl std::fmt::Display, base: i64) {
        if !agree {
            self.problems
                .push(format!("sums: {sums}, {base} before these"));
        }
    }
}

/// Which session does what, and for whom it waits, for whoever looks for the cause.
pub(super) fn who_waits(port: u16) -> String {
    const QUESTIONS: [&str; 2] = [
        "select pid, state, wait_event_type, wait_event, backend_xid, backend_xmin, \
         pg_blocking_pids(pid), left(query, 80) from pg_stat_activity order by 1",
        "select locktype, relation, transactionid, pid, mode, granted from pg_locks \
         where not granted or locktype = 'transactionid' order by granted, pid",
    ];
    let session = Session::connect(port, LIMIT);
    let asked = session.and_then(|mut session| {
        let tables = QUESTIONS.map(|question| session.query(question));
        tables.into_iter().collect::<Result<Vec<_>, _>>()
    });
    let line = |row: TextRow| {
        let fields = row.into_iter().map(Option::unwrap_or_default);
        fields.collect::<Vec<_>>().join(" | ")
    };
    let text = match asked {
        Ok(tables) => tables
            .into_iter()
            .flatten()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n"),
        Err(error) => error.to_string(),
    };
    format!("\n--- sessions and locks\n{text}")
}

/// The session for looks.
fn session(site: &mut Site) -> Result<&mut Session> {
    if site.session.is_none() {
        site.session = Some(Session::connect(site.guest.port(), LIMIT)?);
    }
    let session = site.session.as_mut().context("no session")?;
    session.allow(LIMIT);
    Ok(session)
}

/// What can be seen in a moment, while the clients go on: small sums, counts, and the
/// numbers acknowledged since the last look.
///
/// # Errors
/// When the system gives no answer.
pub(super) fn look(site: &mut Site, book: &mut Book, base: i64, looked: &mut Looked) -> Result<()> {
    let session = session(site)?;
    let sums = QuickSums::ask(session)?;
    looked.sums(sums.agree_since(base), sums, base);
    looked.lost(book.missing_since_last_look(session)?.len());
    Ok(())
}

/// Everything, while nobody changes it: the clients rest.
///
/// # Errors
/// When the system gives no answer, or clients find no rest.
pub(super) fn look_deeply(
    site: &mut Site,
    book: &mut Book,
    answers: &Answers,
    base: i64,
    looked: &mut Looked,
) -> Result<()> {
    site.tellers.rest(true);
    let ended = look_at_everything(site, book, answers, base, looked);
    site.tellers.rest(false);
    ended
}

fn look_at_everything(
    site: &mut Site,
    book: &mut Book,
    answers: &Answers,
    base: i64,
    looked: &mut Looked,
) -> Result<()> {
    if let Err(busy) = site.tellers.all_rest(PATIENCE) {
        bail!("clients {busy:?} do not come to rest");
    }
    site.tellers.collect(book);
    let port = site.guest.port();
    looked.problems.extend(answers.ask_all(port)?);
    let sums = Sums::ask(port)?;
    looked.sums(sums.agree_since(base), sums, base);
    let compared = book.compare(port)?;
    looked.lost(compared.lost.len());
    if !compared.strange.is_empty() {
        let strange = compared.strange.len();
        looked
            .problems
            .push(format!("{strange} refused commits are there"));
    }
    if sums.history != compared.there {
        let (rows, there) = (sums.history, compared.there);
        looked
            .problems
            .push(format!("{rows} rows of history, {there} numbers"));
    }
    if looked.problems.is_empty() {
        // Looks stay as cheap as they were.
        session(site)?.query("truncate pgbench_history, trial_witness")?;
        book.emptied();
        looked.base = Some(sums.accounts());
    }
    Ok(())
}

/// What is still held while all clients rest, and its names. Background loops hold
/// something now and then, so this looks several times.
pub(super) fn leaked(site: &Site) -> (u64, String) {
    site.tellers.rest(true);
    site.askers.rest(true);
    let mut found = (0, String::new());
    for group in site.groups() {
        if group.all_rest(PATIENCE).is_err() {
            found.1 = " clients do not rest".into();
        }
    }
    for _ in 0..20 {
        let ask = |command| site.guest.try_shell(command, SHELL);
        let (Ok(counters), Ok(cells)) = (ask("counters"), ask("cells")) else {
            break;
        };
        let held = held(&counters, &cells);
        let names: Vec<String> = held.iter().map(|(n, name)| format!("{n} {name}")).collect();
        found = match held.iter().map(|(count, _)| count).sum() {
            0 => (0, String::new()),
            sum => (sum, format!(" held: {}", names.join(", "))),
        };
        if held.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    site.tellers.rest(false);
    site.askers.rest(false);
    found
}
