//! The system that a campaign damages, and all that is known of it: clients at work,
//! what was acknowledged to them, and the looks at it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::answers::Answers;
use super::book::Book;
use super::clients::{self, Clients, LIMIT, READER, Work};
use super::faults::settle;
use super::sums::{QuickSums, Sums};
use super::verdict::{Class, Fault};
use super::{Wishes, boot_with, cells_there};
use crate::bench::guest::{Disk, Guest};
use crate::bench::pgbench;
use crate::bench::sql::Session;
use crate::client::ClientError;
use crate::paths::Paths;

/// Clients that ask questions.
const ASKERS: usize = 2;
/// What takes longer hangs; machines may be slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long an explicit fault may take to be met.
const RARELY: Duration = Duration::from_secs(3);
/// What a shell command may take.
const SHELL: Duration = Duration::from_secs(15);
/// With more numbers than that, comparing takes longer than booting.
const ENOUGH: usize = 20_000;

/// The system under test with what is known of it.
pub(super) struct Bench<'a> {
    paths: &'a Paths,
    wishes: &'a Wishes,
    pristine: Disk,
    answers: Arc<Answers>,
    site: Option<Site>,
    /// What it will boot from, if not from the pristine disk.
    disk: Option<Disk>,
    book: Book,
    /// How much of the book was judged already: errors, connections, answers.
    judged: (usize, usize, usize),
}

/// A running system and its clients.
struct Site {
    guest: Guest,
    tellers: Clients,
    askers: Clients,
    /// For the looks; opened when it is needed.
    session: Option<Session>,
    trials: usize,
}

/// What the system says of faults and repairs.
pub(super) struct State {
    pub(super) faults: u64,
    pub(super) repairs: BTreeMap<String, Times>,
}

/// A repair: when the fault was, and the times since (µs).
pub(super) struct Times {
    pub(super) at: String,
    pub(super) caught: Option<u64>,
    pub(super) served: Option<u64>,
    pub(super) replaced: Option<u64>,
}

impl State {
    /// The answer of `cells --repairs`.
    pub(super) fn read(answer: &str) -> Option<Self> {
        let mut lines = answer.lines();
        let faults = lines.next()?.strip_prefix("faults ")?.parse().ok()?;
        let repair = |line: &str| {
            let (cell, rest) = line.split_once(' ')?;
            let words: Vec<&str> = rest.split([' ', ',']).collect();
            let after = |word: &str| {
                let at = words.iter().position(|w| *w == word)?;
                words.get(at + 1).copied()
            };
            let time = |word: &str| after(word)?.parse().ok();
            let times = Times {
                at: after("at")?.to_string(),
                caught: time("caught"),
                served: time("served"),
                replaced: time("replaced"),
            };
            Some((cell.to_string(), times))
        };
        Some(Self {
            faults,
            repairs: lines.filter_map(repair).collect(),
        })
    }
}

impl<'a> Bench<'a> {
    /// Fills a disk that every fresh start begins with.
    pub(super) fn set_up(
        paths: &'a Paths,
        wishes: &'a Wishes,
        usual: impl Fn(&str) -> bool,
    ) -> Result<(Self, Vec<String>)> {
        let guest = start(paths, wishes, Disk::empty(paths)?)?;
        let cells = cells_there(&guest, wishes, usual)?;
        pgbench::fill(guest.port(), wishes.scale).context("no tables")?;
        clients::set_up(guest.port())?;
        let answers = Arc::new(Answers::learn(guest.port())?);
        let bench = Self {
            paths,
            wishes,
            pristine: guest.stop()?,
            answers,
            site: None,
            disk: None,
            book: Book::default(),
            judged: (0, 0, 0),
        };
        Ok((bench, cells))
    }

    /// A copy of the disk with the tables, and the questions about them.
    pub(super) fn prepared(&self) -> Result<(Disk, Arc<Answers>)> {
        Ok((self.pristine.copy(self.paths)?, Arc::clone(&self.answers)))
    }

    /// Every client has done something just now. Boots the system if none runs.
    pub(super) fn ready(&mut self) -> Result<()> {
        if self.book.acknowledged() > ENOUGH {
            self.kill();
            self.disk = None;
        }
        let site = self.site()?;
        site.trials += 1;
        for group in [&site.tellers, &site.askers] {
            if let Err(stuck) = group.advance(1, PATIENCE) {
                bail!("clients {stuck:?} stand still");
            }
        }
        Ok(())
    }

    /// How many faults the running system has had.
    pub(super) fn trials(&self) -> usize {
        self.site.as_ref().map_or(0, |site| site.trials)
    }

    fn site(&mut self) -> Result<&mut Site> {
        if self.site.is_none() {
            let disk = match self.disk.take() {
                Some(disk) => disk,
                None => {
                    self.book = Book::default();
                    self.judged = (0, 0, 0);
                    self.pristine.copy(self.paths)?
                }
            };
            let guest = start(self.paths, self.wishes, disk)?;
            self.site = Some(self.staff(guest));
        }
        self.site.as_mut().context("no system runs")
    }

    /// Sends the clients to work.
    fn staff(&mut self, guest: Guest) -> Site {
        let (wishes, port) = (self.wishes, guest.port());
        let work = Work::Transfer {
            scale: wishes.scale,
        };
        let count = wishes.clients as usize;
        Site {
            tellers: Clients::start(port, count, work, wishes.seed, &mut self.book),
            askers: Clients::ask(port, ASKERS, &self.answers, wishes.seed),
            guest,
            session: None,
            trials: 0,
        }
    }

    /// Cuts the power and keeps the disk for the next boot.
    pub(super) fn kill(&mut self) {
        if let Some(site) = self.site.take() {
            self.disk = Some(site.guest.kill());
            // They have no one to talk to any more.
            let ended = site.tellers.finish(&mut self.book);
            let ended = ended.and(site.askers.finish(&mut self.book));
            if let Err(error) = ended {
                eprintln!("{error:#}");
            }
        }
    }

    /// What the system says, if it answers.
    pub(super) fn state(&self) -> Option<State> {
        let guest = &self.site.as_ref()?.guest;
        State::read(&guest.try_shell("cells --repairs", SHELL).ok()?)
    }

    /// Gives the command. False when there was nothing to damage.
    pub(super) fn inject(&mut self, command: &str, says: bool, fault: &mut Fault) -> bool {
        let Some(site) = &self.site else {
            return false;
        };
        match site.guest.try_shell(command, SHELL) {
            // What `crash` answers says nothing new.
            Ok(place) if says => fault.place = place.trim().to_string(),
            Ok(_) => {}
            Err(error @ ClientError::Refused(_)) => {
                fault.detail = error.to_string();
                return false;
            }
            // It may have hit the shell's own way.
            Err(error) => fault.detail = format!("the command: {error}"),
        }
        true
    }

    /// Lets the load run on; every client must have gone on since.
    pub(super) fn watch(&self, fault: &mut Fault) {
        let Some(site) = &self.site else { return };
        let (began, guest) = (Instant::now(), &site.guest);
        for group in [&site.tellers, &site.askers] {
            if let Err(hung) = group.advance_while(2, PATIENCE, || guest.end().is_none()) {
                fault.hung += hung.len();
            }
        }
        let rest = settle(self.wishes).saturating_sub(began.elapsed());
        if guest.end().is_none() {
            std::thread::sleep(rest);
        }
    }

    /// Waits until the system counts more than so many faults, or long enough: some
    /// cells are called now and then only.
    pub(super) fn await_fault(&self, before: u64) {
        let until = Instant::now() + RARELY;
        while Instant::now() < until {
            match self.state() {
                Some(state) if state.faults <= before => {}
                _ => return,
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether the system still lives: it has not ended, and its shell answers.
    pub(super) fn alive(&self, fault: &mut Fault) -> Option<State> {
        let guest = &self.site.as_ref()?.guest;
        let why = match guest.end() {
            Some(end) => {
                let console = guest.console_tail(400);
                let fatal = console.lines().find(|l| l.contains("fatal"));
                format!("{end}: {}", fatal.unwrap_or("no last words"))
            }
            None => match guest.try_shell("cells --repairs", SHELL) {
                Ok(answer) => return State::read(&answer),
                Err(error) => format!("the shell: {error}"),
            },
        };
        fault.class = Class::System;
        fault.hung = 0;
        fault.detail = why;
        None
    }

    /// Adds what the clients saw since the last fault.
    pub(super) fn judge(&mut self, fault: &mut Fault) -> Result<()> {
        if let Some(site) = &self.site {
            site.tellers.collect(&mut self.book);
            site.askers.collect(&mut self.book);
        }
        let book = &self.book;
        let (errors, lost, wrong) = self.judged;
        let (errors, lost) = (&book.errors[errors..], &book.lost[lost..]);
        let wrong = &book.wrong[wrong..];
        fault.errors = errors.len();
        fault.reader_errors = errors.iter().filter(|e| e.starts_with(READER)).count();
        if fault.class < Class::System {
            fault.lost = lost.len();
        }
        let mut at_least = |class: Class, when: bool| {
            if when {
                fault.class = fault.class.max(class);
            }
        };
        at_least(Class::Unseen, fault.faults > 0);
        at_least(Class::Statement, fault.errors > 0);
        at_least(Class::Connection, fault.lost + fault.hung > 0);
        at_least(Class::Data, !wrong.is_empty());
        let first = wrong.first().or(errors.first()).or(lost.first());
        if let (true, Some(first)) = (fault.detail.is_empty(), first) {
            fault.detail.clone_from(first);
        }
        self.judged = (book.errors.len(), book.lost.len(), book.wrong.len());
        Ok(())
    }

    /// Replaces the damaged cell; false when that does not work.
    pub(super) fn replace(&self, cell: &str) -> bool {
        let Some(site) = &self.site else { return false };
        let command = format!("swap {cell}");
        // A swap is refused while a call that hangs has not been ended.
        let swapped = || site.guest.try_shell(&command, SHELL).is_ok();
        swapped() || swapped()
    }

    /// Looks at commits, sums and answers; quickly, or `deep`ly. False when
    /// something is wrong, or cannot be looked at; the former is noted in `fault`.
    pub(super) fn verify(&mut self, fault: &mut Fault, deep: bool) -> bool {
        let Some(site) = &mut self.site else {
            return false;
        };
        site.tellers.collect(&mut self.book);
        let looked = match deep {
            true => problems(site, &mut self.book, &self.answers),
            false => quick_problems(site, &mut self.book),
        };
        if deep {
            let (leaked, what) = leaked(site);
            fault.leaked = leaked;
            fault.detail += &what;
        }
        match looked {
            Ok((lost, problems)) => {
                fault.commits_lost += lost;
                if !problems.is_empty() {
                    fault.class = Class::Data;
                    fault.detail += &format!(" {}", problems.join("; "));
                }
                problems.is_empty()
            }
            Err(error) => {
                site.session = None;
                fault.detail += &format!(" cannot be verified: {error:#}");
                false
            }
        }
    }

    /// The same after a boot on the same disk, and starts from the pristine one if
    /// that does not help.
    pub(super) fn verify_after_boot(&mut self, fault: &mut Fault) -> Result<()> {
        if let Err(error) = self.site() {
            fault.class = Class::Data;
            fault.detail += &format!(" no boot: {error:#}");
            self.disk = None;
            return Ok(());
        }
        let sound = self.verify(fault, true);
        if !sound {
            fault.class = Class::Data;
        }
        if !sound {
            self.kill();
            self.disk = None;
        }
        // Clients that start on a system that has just booted fail nothing.
        let book = &self.book;
        self.judged = (book.errors.len(), book.lost.len(), book.wrong.len());
        Ok(())
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(paths: &Paths, wishes: &Wishes, disk: Disk) -> Result<Guest> {
    boot_with(paths, wishes, disk, &["faults=inject"])
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
fn quick_problems(site: &mut Site, book: &mut Book) -> Result<(usize, Vec<String>)> {
    let session = session(site)?;
    let mut problems = Vec::new();
    let sums = QuickSums::ask(session)?;
    if !sums.agree() {
        problems.push(format!("sums: {sums}"));
    }
    let lost = book.missing_since_last_look(session)?;
    if !lost.is_empty() {
        problems.push(format!("{} commits lost", lost.len()));
    }
    Ok((lost.len(), problems))
}

/// What is still held while all clients rest, and its names. Background loops hold
/// something now and then, so this looks several times.
fn leaked(site: &Site) -> (u64, String) {
    site.tellers.rest(true);
    site.askers.rest(true);
    let mut found = (0, String::new());
    for group in [&site.tellers, &site.askers] {
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

/// What `counters` and `cells` say is held, but for nothing.
fn held(counters: &str, cells: &str) -> Vec<(u64, String)> {
    const NAMES: [&str; 11] = [
        "pool.pins",
        "pool.latched",
        "pool.claimed",
        "disk.in_flight",
        "disk.waiting",
        "txn.open",
        "txn.locks",
        "txn.running",
        "txn.waiting",
        "txn.row_holders",
        "txn.predicate_locks",
    ];
    let counted = counters.lines().filter_map(|line| {
        let (name, count) = line.split_once(' ')?;
        let count = count.parse().ok()?;
        NAMES.contains(&name).then(|| (count, name.to_string()))
    });
    // The command itself is a call in the shell, from the console's loop.
    let calls = cells.lines().filter_map(|line| {
        let cell = line.split_whitespace().next()?;
        let (_, rest) = line.split_once("in flight ")?;
        let count = rest.split_whitespace().next()?.parse().ok()?;
        let own = ["shell", "console", "captain", "swap"].contains(&cell);
        (!own).then(|| (count, format!("calls in {cell}")))
    });
    counted
        .chain(calls)
        .filter(|(count, _)| *count > 0)
        .collect()
}

/// Everything, while nobody changes it: the clients rest.
fn problems(site: &mut Site, book: &mut Book, answers: &Answers) -> Result<(usize, Vec<String>)> {
    site.tellers.rest(true);
    let looked = all_problems(site, book, answers);
    site.tellers.rest(false);
    looked
}

fn all_problems(
    site: &mut Site,
    book: &mut Book,
    answers: &Answers,
) -> Result<(usize, Vec<String>)> {
    if let Err(busy) = site.tellers.all_rest(PATIENCE) {
        bail!("clients {busy:?} do not come to rest");
    }
    site.tellers.collect(book);
    let port = site.guest.port();
    let mut problems = answers.ask_all(port)?;
    let sums = Sums::ask(port)?;
    if !sums.agree() {
        problems.push(format!("sums: {sums}"));
    }
    let compared = book.compare(port)?;
    if !compared.lost.is_empty() {
        problems.push(format!("{} commits lost", compared.lost.len()));
    }
    if !compared.strange.is_empty() {
        let strange = compared.strange.len();
        problems.push(format!("{strange} refused commits are there"));
    }
    if sums.history != compared.there {
        let (rows, there) = (sums.history, compared.there);
        problems.push(format!("{rows} rows of history, {there} numbers"));
    }
    Ok((compared.lost.len(), problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_are_read() {
        let answer = "faults 3\npg_wal           Panic at 12.345678 s, caught 300 us, \
                      served 900 us, replaced -, gave back 2, torn 0\n";
        let state = State::read(answer).unwrap();
        let repair = &state.repairs["pg_wal"];
        assert_eq!((state.faults, repair.at.as_str()), (3, "12.345678"));
        assert_eq!((repair.caught, repair.served), (Some(300), Some(900)));
        assert_eq!(repair.replaced, None);
        assert!(State::read("nonsense").is_none());
    }

    #[test]
    fn what_is_held_is_named() {
        let cells = "pg_wal 0.1.0 generation 2 9 KiB  in flight 3    swaps 1 faults 2\n\
                     shell  0.1.0 generation 1 9 KiB  in flight 1    swaps 0 faults 0\n";
        let held = held("pool.pins 2\npool.reads 9\ntxn.locks 0\n", cells);
        let wanted = [
            (2, "pool.pins".to_string()),
            (3, "calls in pg_wal".to_string()),
        ];
        assert_eq!(held, wanted);
    }
}
