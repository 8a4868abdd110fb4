//! A campaign: one fault at a time in a loaded cell, under transfers and
//! questions, and what became of it. After each fault the cell is replaced; where
//! that does not undo the damage, or something was lost, the system boots again.
//! Every acknowledged commit, the sums and the answers are looked at before and
//! after such a boot.
//!
//! pgbench is not the load here: it gives a client up at its first error, and
//! cannot say what was acknowledged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::answers::Answers;
use super::book::Book;
use super::clients::{self, Clients, Work};
use super::crashes::USUAL;
use super::findings::Findings;
use super::random::Random;
use super::sums::Sums;
use super::verdict::{Class, Fault, csv, summary};
use super::{Wishes, boot_with, cells_there};
use crate::bench::guest::{Disk, Guest};
use crate::bench::pgbench;
use crate::bench::report::Row;
use crate::client::ClientError;
use crate::paths::Paths;

/// Damage, done by `inject`; everything else is a word of `crash`.
const DAMAGE: [&str; 5] = ["text", "skip", "data", "word", "state"];
const EXPLICIT: [&str; 11] = [
    "panic", "null", "wild", "divide", "opcode", "stack", "loop", "execute", "relock", "wait",
    "memory",
];
/// Cells that carry load beside those of the database.
const DRIVERS: [&str; 3] = ["nvme", "virtio_net", "net"];
/// Clients that ask questions.
const ASKERS: usize = 2;
/// A call that hangs is ended after five seconds; machines may be slow.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a shell command may take.
const SHELL: Duration = Duration::from_secs(15);
/// With more numbers than that, comparing takes longer than the fault.
const ENOUGH: usize = 20_000;

/// The system under test with what is known of it.
struct Bench<'a> {
    paths: &'a Paths,
    wishes: &'a Wishes,
    pristine: Disk,
    answers: Arc<Answers>,
    guest: Option<Guest>,
    disk: Option<Disk>,
    book: Book,
}

pub(super) fn run(paths: &Paths, wishes: &Wishes, findings: &mut Findings) -> Result<()> {
    let (mut bench, cells) = Bench::set_up(paths, wishes)?;
    let kinds: Vec<String> = match wishes.faults.as_slice() {
        [] => DAMAGE
            .iter()
            .chain(&EXPLICIT)
            .map(|k| k.to_string())
            .collect(),
        named => named.to_vec(),
    };
    let mut random = Random::new(wishes.seed);
    let mut faults = Vec::new();
    let out = wishes.csv(paths);
    for number in 1..=wishes.times {
        let (cell, kind) = (random.pick(&cells).clone(), random.pick(&kinds).clone());
        let fault = bench.fault(number, random.next() >> 1, cell, kind)?;
        println!("{}", fault.line());
        faults.push(fault);
        // Long runs are worth keeping as far as they got.
        std::fs::write(&out, csv(&faults))?;
    }
    eprintln!("{:>10} {}", "Written", out.display());
    report(findings, &faults);
    Ok(())
}

impl<'a> Bench<'a> {
    /// Fills a disk that every fresh start begins with.
    fn set_up(paths: &'a Paths, wishes: &'a Wishes) -> Result<(Self, Vec<String>)> {
        let guest = start(paths, wishes, Disk::empty(paths)?)?;
        let usual = |cell: &str| USUAL.contains(&cell) || DRIVERS.contains(&cell);
        let cells = cells_there(&guest, wishes, usual)?;
        pgbench::fill(guest.port(), wishes.scale).context("no tables")?;
        clients::set_up(guest.port())?;
        let answers = Arc::new(Answers::learn(guest.port())?);
        let bench = Self {
            paths,
            wishes,
            pristine: guest.stop()?,
            answers,
            guest: None,
            disk: None,
            book: Book::default(),
        };
        Ok((bench, cells))
    }

    /// The running system; booted if there is none.
    fn guest(&mut self) -> Result<&Guest> {
        if self.guest.is_none() {
            let disk = match self.disk.take() {
                Some(disk) => disk,
                None => {
                    self.book = Book::default();
                    self.pristine.copy(self.paths)?
                }
            };
            self.guest = Some(start(self.paths, self.wishes, disk)?);
        }
        self.guest.as_ref().context("no system runs")
    }

    /// Cuts the power and keeps the disk for the next boot.
    fn kill(&mut self) {
        if let Some(guest) = self.guest.take() {
            self.disk = Some(guest.kill());
        }
    }

    /// Puts one fault in and finds out what becomes of it.
    fn fault(&mut self, number: usize, seed: u64, cell: String, kind: String) -> Result<Fault> {
        let mut fault = Fault {
            number,
            seed,
            class: Class::Silent,
            place: String::new(),
            faults: 0,
            errors: 0,
            lost: 0,
            hung: 0,
            commits_lost: 0,
            detail: String::new(),
            cell,
            kind,
        };
        let mut book = std::mem::take(&mut self.book);
        // A fresh disk comes with a fresh book.
        if self.guest.is_none() && self.disk.is_none() {
            book = Book::default();
        }
        let (wishes, answers) = (self.wishes, Arc::clone(&self.answers));
        let port = self.guest()?.port();
        let work = Work::Transfer {
            scale: wishes.scale,
        };
        let tellers = wishes.clients as usize;
        let tellers = Clients::start(port, tellers, work, seed, &mut book);
        let askers = Clients::ask(port, ASKERS, &answers, seed);
        let groups = [&tellers, &askers];
        let ready = groups.iter().all(|g| g.advance(1, PATIENCE).is_ok());
        let guest = self.guest()?;
        let before = counted(guest).unwrap_or_default();
        if ready && inject(guest, &mut fault) {
            watch(guest, &groups, wishes.seconds, &mut fault);
            fault.faults = counted(guest).unwrap_or_default().saturating_sub(before);
            alive(guest, &mut fault);
        } else if !ready {
            fault.detail = "no load before the fault".into();
            fault.hung = 1;
        }
        if fault.class >= Class::System || fault.hung > 0 {
            self.kill();
        }
        let known = (book.errors.len(), book.lost.len());
        tellers.finish(&mut book)?;
        askers.finish(&mut book)?;
        self.book = book;
        self.judge(&mut fault, known);
        self.look(&mut fault)?;
        Ok(fault)
    }

    /// Adds what the clients saw.
    fn judge(&self, fault: &mut Fault, known: (usize, usize)) {
        let (errors, lost) = (&self.book.errors[known.0..], &self.book.lost[known.1..]);
        fault.errors = errors.len();
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
        at_least(Class::Data, !self.book.wrong.is_empty());
        let first = self.book.wrong.first().or(errors.first()).or(lost.first());
        if let (true, Some(first)) = (fault.detail.is_empty(), first) {
            fault.detail.clone_from(first);
        }
    }

    /// Replaces the damaged cell, boots again where that is not enough, and looks
    /// at the data each time.
    fn look(&mut self, fault: &mut Fault) -> Result<()> {
        self.book.wrong.clear();
        if let Some(guest) = &self.guest {
            let swapped = guest
                .try_shell(&format!("swap {}", fault.cell), SHELL)
                .is_ok();
            let sound = swapped && self.verify(fault);
            if !sound || fault.kind == "state" {
                self.kill();
            }
        }
        if self.guest.is_none() {
            if let Err(error) = self.guest() {
                fault.class = Class::Data;
                fault.detail += &format!(" no boot: {error:#}");
                self.disk = None;
            } else if !self.verify(fault) {
                fault.class = Class::Data;
            }
        }
        if fault.class == Class::Data || self.book.acknowledged() > ENOUGH {
            self.guest = None;
            self.disk = None;
        }
        Ok(())
    }

    /// Looks at sums, commits and answers. False when something is wrong, or
    /// cannot be looked at; the former is noted in `fault`.
    fn verify(&mut self, fault: &mut Fault) -> bool {
        let Some(port) = self.guest.as_ref().map(Guest::port) else {
            return false;
        };
        match problems(port, &mut self.book, &self.answers) {
            Ok((lost, problems)) => {
                fault.commits_lost += lost;
                if !problems.is_empty() {
                    fault.class = Class::Data;
                    fault.detail += &format!(" {}", problems.join("; "));
                }
                problems.is_empty()
            }
            Err(error) => {
                fault.detail += &format!(" cannot be verified: {error:#}");
                false
            }
        }
    }
}

fn start(paths: &Paths, wishes: &Wishes, disk: Disk) -> Result<Guest> {
    boot_with(paths, wishes, disk, &["faults=inject"])
}

/// Acknowledged commits that are lost, and all that is wrong with the data.
fn problems(port: u16, book: &mut Book, answers: &Answers) -> Result<(usize, Vec<String>)> {
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
        problems.push(format!(
            "{} refused commits are there",
            compared.strange.len()
        ));
    }
    if sums.history != compared.there {
        let (rows, there) = (sums.history, compared.there);
        problems.push(format!("{rows} rows of history, {there} numbers"));
    }
    Ok((compared.lost.len(), problems))
}

/// Puts the fault in. False when there was nothing to damage.
fn inject(guest: &Guest, fault: &mut Fault) -> bool {
    let is_damage = DAMAGE.contains(&fault.kind.as_str());
    let command = match is_damage {
        true => format!("inject {} {} {}", fault.cell, fault.kind, fault.seed),
        false => format!("crash {} {}", fault.cell, fault.kind),
    };
    match guest.try_shell(&command, SHELL) {
        // What `crash` answers says nothing new.
        Ok(place) if is_damage => fault.place = place.trim().to_string(),
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

/// Lets the load run on; every client must have committed again.
fn watch(guest: &Guest, groups: &[&Clients; 2], seconds: u64, fault: &mut Fault) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while guest.end().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    for group in groups {
        if guest.end().is_some() {
            return;
        }
        if let Err(hung) = group.advance_while(1, PATIENCE, || guest.end().is_none()) {
            fault.hung += hung.len();
        }
    }
}

/// Whether the system still lives: it has not ended, and its shell answers.
fn alive(guest: &Guest, fault: &mut Fault) {
    let why = match guest.end() {
        Some(end) => {
            let console = guest.console_tail(400);
            let fatal = console.lines().find(|l| l.contains("fatal"));
            format!("{end}: {}", fatal.unwrap_or("no last words"))
        }
        None => match guest.try_shell("uptime", SHELL) {
            Ok(_) => return,
            Err(error) => format!("the shell: {error}"),
        },
    };
    fault.class = Class::System;
    fault.hung = 0;
    fault.detail = why;
}

/// All faults that the system counted since its boot.
fn counted(guest: &Guest) -> Option<u64> {
    let cells = guest.try_shell("cells", SHELL).ok()?;
    let count = |line: &str| {
        let (_, rest) = line.split_once(" faults ")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(cells.lines().filter_map(count).sum())
}

fn report(findings: &mut Findings, faults: &[Fault]) {
    println!("\n{}", summary(faults, "kind", |f| &f.kind));
    println!("{}", summary(faults, "cell", |f| &f.cell));
    let count = |wanted: &dyn Fn(&Fault) -> bool| faults.iter().filter(|f| wanted(f)).count();
    let manifested = count(&|f| f.class != Class::Silent);
    let lost = count(&|f| f.class == Class::System);
    let share = 100.0 * (manifested - lost) as f64 / manifested.max(1) as f64;
    findings.row(Row::one("faults", faults.len() as f64, ""));
    findings.row(Row::one("manifested", manifested as f64, ""));
    findings.row(Row::one("manifested and the system lives", share, "%"));
    findings.check(
        "the system lives after 95 % of manifested faults",
        share >= 95.0,
        format!("{share:.1} %"),
    );
    let commits: usize = faults.iter().map(|f| f.commits_lost).sum();
    findings.equal("acknowledged commits lost", commits, 0);
    let explicit = count(&|f| f.class == Class::Data && !DAMAGE.contains(&f.kind.as_str()));
    findings.equal("explicit faults that made data wrong", explicit, 0);
    let random = count(&|f| f.class == Class::Data && DAMAGE.contains(&f.kind.as_str()));
    findings.row(Row::one("damage that made data wrong", random as f64, ""));
}
