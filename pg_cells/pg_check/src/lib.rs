//! The search for damage. It reads through the other cells' ports and looks at
//! bytes where no port tells enough; it changes nothing.
//!
//! - `media`: the superblock and the log as they lie on the disk
//! - `space`: the space map against itself
//! - `pages`: every page in use against its checksum and its file's kind
//! - `raw`: the same for a database that does not open
//! - `heap`: rows, their chains and transactions
//! - `index`: trees, and their entries against the rows
//! - `catalog`: which relations there are, and their files
//!
//! `README.md` beside it tells what each finding means and what is not found.
//!
//! Stateless.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod catalog;
mod heap;
mod index;
mod media;
mod pages;
mod raw;
mod space;

use alloc::boxed::Box;
use pg_check_port::{Around, CHECK, Checker, Finding, Place, Report, What};
use port::{Birth, BirthError, Component, CrashKind};

/// What this cell says of itself.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_check_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&CHECK, Box::new(Search));
    Ok(())
}

/// The provider.
struct Search;

impl Component for Search {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

/// Among others' work, what is found must be found so often to count.
const LOOKS: usize = 3;
/// Between two looks (ns).
const PAUSE: u64 = 200_000_000;

impl Checker for Search {
    fn media(&self) -> Report {
        let mut report = Report::default();
        media::look(&mut report);
        report
    }

    fn run(&self, around: Around) -> Report {
        let mut report = everything();
        if around == Around::Quiet {
            return report;
        }
        for _ in 1..LOOKS {
            if report.findings.is_empty() {
                break;
            }
            task_port::sleep(PAUSE);
            let again = everything();
            // The words of a finding may name what has moved on since.
            let stays = |f: &Finding| {
                let same = |g: &&Finding| (g.place, g.what) == (f.place, f.what);
                again.findings.iter().any(|g| same(&g))
            };
            report.findings.retain(stays);
            report.more = report.more.min(again.more);
        }
        report
    }
}

/// One look at everything.
fn everything() -> Report {
    let mut report = Report::default();
    let media = media::look(&mut report);
    if pg_buffer_port::files().is_err() {
        let what = "the database is not open; its pages are looked at as they lie";
        report.add(Finding::damage(Place::System, What::NotRunning, what));
        raw::look(&media, &mut report);
        return report;
    }
    space::look(&mut report);
    let files = pages::look(&mut report);
    let relations = catalog::look(&mut report);
    let mut rows = heap::Rows::default();
    for (file, kind) in &files {
        if *kind == pages::Kind::Heap {
            rows.look(*file, &relations, &mut report);
        }
    }
    index::look(&files, &relations, &rows, &mut report);
    catalog::compare(&relations, &files, &mut report);
    for finding in &mut report.findings {
        let file = match finding.place {
            Place::Page(page) | Place::Item(page, _) => page.file,
            Place::File(file) => file,
            _ => continue,
        };
        if let Some(name) = relations.name(file) {
            finding.name = name.into();
        }
    }
    report
}
