//! The system that a campaign damages, and all that is known of it: clients at work,
//! what was acknowledged to them, and the looks at it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::answers::Answers;
use super::book::Book;
use super::clients::{self, Clients, READER, Work};
use super::looks::{Looked, leaked, look, look_deeply, who_waits};
use super::state::State;
use super::verdict::{Class, ENDED, Fault, NO_BOOT};
use super::{Wishes, boot_with, cells_there};
use crate::bench::guest::{Disk, Guest};
use crate::bench::pgbench;
use crate::bench::sql::Session;
use crate::client::ClientError;
use crate::paths::Paths;

/// Clients that ask questions.
const ASKERS: usize = 2;
/// What takes longer hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// What nobody has ended after so long, the watchdog does not end: it gives calls five
/// seconds at the most.
const STALLED: Duration = Duration::from_secs(6);
/// How long a cell that faulted may wait for its replacement: the captain pauses when
/// a cell faults again and again.
const MENDING: Duration = Duration::from_secs(6);
/// What a shell command may take.
pub(super) const SHELL: Duration = Duration::from_secs(15);
/// Between two looks at the system.
const LOOK: Duration = Duration::from_millis(10);
/// How often a look is tried, and what is waited longer before each of them.
const LOOKS: u32 = 8;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Lines of the console that are kept of a fault that was not contained.
const LAST_WORDS: usize = 120;

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
    /// The sum of all accounts when history and numbers were emptied last.
    base: i64,
    /// The cells that can be replaced: those behind ports.
    ported: Vec<String>,
}

/// A running system and its clients.
pub(super) struct Site {
    pub(super) guest: Guest,
    pub(super) tellers: Clients,
    pub(super) askers: Clients,
    /// For the looks; opened when it is needed.
    pub(super) session: Option<Session>,
    /// What it said last.
    state: State,
    trials: usize,
}

impl Site {
    pub(super) fn groups(&self) -> [&Clients; 2] {
        [&self.tellers, &self.askers]
    }
}

/// The clients that are to go on, and how far.
pub(super) struct Goals([Vec<u64>; 2]);

impl<'a> Bench<'a> {
    /// Fills a disk that every fresh start begins with.
    pub(super) fn set_up(
        paths: &'a Paths,
        wishes: &'a Wishes,
        usual: impl Fn(&str) -> bool,
    ) -> Result<(Self, Vec<String>)> {
        let guest = start(paths, wishes, Disk::empty(paths)?)?;
        let cells = cells_there(&guest, wishes, usual)?;
        let ported = guest.cells()?;
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
            base: 0,
            ported,
        };
        Ok((bench, cells))
    }

    /// A copy of the disk with the tables, and the questions about them.
    pub(super) fn prepared(&self) -> Result<(Disk, Arc<Answers>)> {
        Ok((self.pristine.copy(self.paths)?, Arc::clone(&self.answers)))
    }

    /// Boots the system if none runs, and waits until every client has done something.
    /// On a system that runs, the last fault's end has seen to that.
    pub(super) fn ready(&mut self) -> Result<()> {
        let site = self.site()?;
        site.trials += 1;
        if site.trials == 1 {
            for group in site.groups() {
                if let Err(stuck) = group.advance(1, PATIENCE) {
                    bail!("clients {stuck:?} stand still");
                }
            }
            site.state = said(site).context("no state of a fresh system")?;
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
                    self.base = 0;
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
            state: State::default(),
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

    /// What the system said last.
    pub(super) fn state(&self) -> State {
        let site = self.site.as_ref();
        site.map_or_else(State::default, |site| site.state.clone())
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

    /// As far as every client must get from here to have gone on.
    pub(super) fn goals(&self) -> Goals {
        let of = |site: &Site| Goals(site.groups().map(|group| group.goals(1)));
        self.site
            .as_ref()
            .map_or(Goals([Vec::new(), Vec::new()]), of)
    }

    /// Lets the load run on until the fault has shown itself: the system has counted it,
    /// a client complains, or it is gone. Nothing shows of a fault after `window`, when
    /// every client has gone on since. Gives how many clients stand still although
    /// nothing has shown.
    pub(super) fn watch(&mut self, fault: &mut Fault, goals: &Goals, window: Duration) -> usize {
        let (before, began) = (self.state().faults, Instant::now());
        while let Some(state) = self.alive(fault) {
            let Some(site) = &mut self.site else { return 0 };
            site.state = state;
            let shown = site.state.faults > before || site.groups().iter().any(|g| g.complain());
            let behind = behind(site, goals);
            let over = began.elapsed() > window && behind == 0;
            match shown || over {
                true => return 0,
                false if began.elapsed() > window + STALLED => return behind,
                false => std::thread::sleep(LOOK),
            }
        }
        0
    }

    /// Waits until the cells that faulted since `before` are replaced and every client
    /// has gone on; counts those that hang.
    pub(super) fn settle(&mut self, fault: &mut Fault, before: &State) {
        let (began, goals) = (Instant::now(), self.goals());
        loop {
            let Some(state) = self.alive(fault) else {
                return;
            };
            let Some(site) = &mut self.site else { return };
            site.state = state;
            // A lack of memory is nobody's mistake: the captain replaces nobody.
            let spared = fault.kind == "memory";
            let mended = spared || site.state.is_mended_since(before, &self.ported);
            let replaced = mended || began.elapsed() > MENDING;
            let hung = behind(site, &goals);
            if replaced && hung == 0 {
                return;
            }
            if began.elapsed() > PATIENCE {
                fault.hung += hung;
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether the system still lives: it has not ended, and its shell answers.
    fn alive(&self, fault: &mut Fault) -> Option<State> {
        let site = self.site.as_ref()?;
        let why = match site.guest.end() {
            Some(end) => {
                let console = site.guest.console_tail(400);
                let fatal = console.lines().find(|l| l.contains("fatal"));
                format!("{end}: {}", fatal.unwrap_or("no last words"))
            }
            None => match said(site) {
                Ok(state) => return Some(state),
                Err(error) => format!("the shell: {error:#}"),
            },
        };
        fault.class = Class::System;
        fault.hung = 0;
        fault.detail = format!("{ENDED} {why}");
        None
    }

    /// What the console said last and what the tasks do, for whoever looks for the cause.
    pub(super) fn last_words(&self) -> String {
        let Some(site) = &self.site else {
            return String::new();
        };
        let mut words = site.guest.console_tail(LAST_WORDS);
        for command in ["tasks", "cells", "counters"] {
            if site.guest.end().is_some() {
                break;
            }
            let said = site.guest.try_shell(command, SHELL);
            let silent = said.is_err();
            let said = said.unwrap_or_else(|error| error.to_string());
            words += &format!("\n--- {command}\n{said}");
            // Who is silent now is so for good, and asking takes long.
            if silent {
                words += &format!("\n--- CPUs\n{}", site.guest.processors());
                return words;
            }
        }
        words + &who_waits(site.guest.port())
    }

    /// Adds what the clients saw since this was asked last.
    pub(super) fn judge(&mut self, fault: &mut Fault) {
        if let Some(site) = &self.site {
            site.tellers.collect(&mut self.book);
            site.askers.collect(&mut self.book);
        }
        let book = &self.book;
        let (errors, lost, wrong) = self.judged;
        let (errors, lost) = (&book.errors[errors..], &book.lost[lost..]);
        let wrong = &book.wrong[wrong..];
        fault.errors += errors.len();
        fault.reader_errors += errors.iter().filter(|e| e.starts_with(READER)).count();
        fault.wrong += wrong.len();
        if fault.class < Class::System {
            fault.lost += lost.len();
        }
        let mut at_least = |class: Class, when: bool| {
            if when {
                fault.class = fault.class.max(class);
            }
        };
        at_least(Class::Unseen, fault.faults > 0);
        at_least(Class::Statement, fault.errors > 0);
        at_least(Class::Connection, fault.lost + fault.hung > 0);
        at_least(Class::Data, fault.wrong > 0);
        let first = wrong.first().or(lost.first()).or(errors.first());
        if let (true, Some(first)) = (fault.detail.is_empty(), first) {
            fault.detail.clone_from(first);
        }
        self.judged = (book.errors.len(), book.lost.len(), book.wrong.len());
    }

    /// Gives the damaged cell a fresh instance; false when that does not work.
    pub(super) fn replace(&self, cell: &str) -> bool {
        let Some(site) = &self.site else { return false };
        let command = format!("swap {cell}");
        // A swap is refused while a call that hangs has not been ended.
        let swapped = || site.guest.try_shell(&command, SHELL).is_ok();
        swapped() || swapped()
    }

    /// Takes damage to a state back, where nobody has written since.
    pub(super) fn undo(&self, cell: &str) {
        if let Some(site) = &self.site {
            // Whoever is behind the door may be what is damaged; the looks decide.
            let _ = site
                .guest
                .try_shell(&format!("inject {cell} undo 0"), SHELL);
        }
    }

    /// Notes what the system says at the end of a fault, which the next one is compared
    /// with; false when it says nothing any more.
    pub(super) fn close(&mut self, fault: &mut Fault, before: &State) -> bool {
        let Some(state) = self.alive(fault) else {
            return false;
        };
        fault.faults = state.faults.saturating_sub(before.faults);
        if let Some(repair) = state.repair_since(&fault.cell, before) {
            (fault.caught_us, fault.served_us) = (repair.caught, repair.served);
            fault.replaced_us = repair.replaced;
        }
        if let Some(site) = &mut self.site {
            site.state = state;
        }
        true
    }

    /// Looks at commits, sums and answers; quickly, or `deep`ly. False when
    /// something is wrong, or cannot be looked at; the former is noted in `fault`.
    pub(super) fn verify(&mut self, fault: &mut Fault, deep: bool) -> bool {
        let base = self.base;
        let Some(site) = &mut self.site else {
            return false;
        };
        site.tellers.collect(&mut self.book);
        let mut looked = Looked::default();
        let mut ended = Ok(());
        // What was hit may be the look itself; the next one has a session of its own. And
        // storage that starts anew refuses everybody for a moment.
        for attempt in 0..LOOKS {
            std::thread::sleep(attempt * LOOK_AGAIN);
            looked = Looked::default();
            ended = match deep {
                true => look_deeply(site, &mut self.book, &self.answers, base, &mut looked),
                false => look(site, &mut self.book, base, &mut looked),
            };
            if ended.is_ok() {
                break;
            }
            site.session = None;
        }
        if deep {
            let (leaked, what) = leaked(site);
            fault.leaked = leaked;
            fault.detail += &what;
        }
        fault.commits_lost += looked.lost;
        if !looked.problems.is_empty() {
            fault.class = Class::Data;
            fault.detail += &format!(" {}", looked.problems.join("; "));
        }
        if let Err(error) = &ended {
            fault.detail += &format!(" cannot be verified: {error:#}");
        }
        if let (true, Some(base)) = (looked.problems.is_empty(), looked.base) {
            self.base = base;
        }
        ended.is_ok() && looked.problems.is_empty()
    }

    /// The same after a boot on the same disk, and starts from the pristine one if
    /// that does not help.
    pub(super) fn verify_after_boot(&mut self, fault: &mut Fault) {
        if let Err(error) = self.site() {
            fault.class = Class::Data;
            fault.detail += &format!(" {NO_BOOT} {error:#}");
            self.disk = None;
            return;
        }
        if !self.verify(fault, true) {
            fault.class = Class::Data;
            self.start_over();
            return;
        }
        // Clients that start on a system that has just booted fail nothing.
        let book = &self.book;
        self.judged = (book.errors.len(), book.lost.len(), book.wrong.len());
    }

    /// The next boot is from the pristine disk.
    pub(super) fn start_over(&mut self) {
        self.kill();
        self.disk = None;
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How many clients have not gone on.
fn behind(site: &Site, goals: &Goals) -> usize {
    let each = site.groups().into_iter().zip(&goals.0);
    each.map(|(group, goals)| group.behind(goals).len()).sum()
}

/// What the system says of itself.
fn said(site: &Site) -> Result<State> {
    let answer = site.guest.try_shell("cells --repairs", SHELL)?;
    State::read(&answer).context("an answer that nobody understands")
}

fn start(paths: &Paths, wishes: &Wishes, disk: Disk) -> Result<Guest> {
    boot_with(paths, wishes, disk, &["faults=inject"])
}
