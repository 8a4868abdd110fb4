//! What is known of the numbers that the trial's own clients noted, over all
//! runs, and its comparison with the table.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::clients::{LIMIT, Notes};
use super::findings::Findings;
use crate::bench::sql::{Session, TextRow};
use crate::timeline::Done;

/// Numbers of one client, over all runs.
const RANGE: i64 = 1_000_000_000;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Confirmed: must be there.
    acknowledged: BTreeSet<i64>,
    /// Sent, and the answer was an error or none: may be there.
    open: BTreeSet<i64>,
    /// The next number of each client.
    next: Vec<i64>,
    /// When each of them was confirmed, and how long it took.
    pub(super) done: Vec<Done>,
    /// Acknowledged since the last look, by client.
    fresh: BTreeMap<i64, BTreeSet<i64>>,
    /// Errors of statements.
    pub(super) errors: Vec<String>,
    /// Connections that were lost, by their error.
    pub(super) lost: Vec<String>,
    /// Answers that were not right.
    pub(super) wrong: Vec<String>,
}

/// What the comparison with the table found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Numbers in the table.
    pub(super) there: u64,
    /// Acknowledged ones that are not there.
    pub(super) lost: Vec<i64>,
    /// Those there that were refused or never sent.
    pub(super) strange: Vec<i64>,
    /// Unanswered ones, and how many of these are there.
    pub(super) open: (usize, usize),
}

impl Book {
    /// The number that a client begins with.
    pub(super) fn next(&mut self, client: usize) -> i64 {
        if self.next.len() <= client {
            self.next.resize(client + 1, 1);
        }
        client as i64 * RANGE + self.next[client]
    }

    /// Enters what a client did.
    pub(super) fn enter(&mut self, client: Notes) {
        if let Some(next) = self.next.get_mut(client.number) {
            *next = client.next - client.number as i64 * RANGE;
        }
        for id in &client.acknowledged {
            self.fresh.entry(id / RANGE).or_default().insert(*id);
        }
        self.acknowledged.extend(client.acknowledged);
        self.done.extend(client.done);
        self.open.extend(client.open);
        self.errors.extend(client.errors);
        self.lost.extend(client.lost);
        self.wrong.extend(client.wrong);
    }

    /// How many were sent without an answer that settles them.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Compares with the table. What was open is settled by this: it is there
    /// from now on, or never.
    pub(super) fn compare(&mut self, port: u16) -> Result<Compared> {
        let there = ids(port)?;
        let compared = self.against(&there);
        self.acknowledged = there;
        self.open.clear();
        Ok(compared)
    }

    fn against(&self, there: &BTreeSet<i64>) -> Compared {
        let more: BTreeSet<i64> = there.difference(&self.acknowledged).copied().collect();
        Compared {
            there: there.len() as u64,
            lost: self.acknowledged.difference(there).copied().collect(),
            strange: more.difference(&self.open).copied().collect(),
            open: (self.open.len(), more.intersection(&self.open).count()),
        }
    }

    /// The numbers that were acknowledged since this was asked last and are not there.
    /// Others may come meanwhile. One statement asks for all.
    pub(super) fn missing_since_last_look(&mut self, session: &mut Session) -> Result<Vec<i64>> {
        let ranges: Vec<String> = self.fresh.values().filter_map(range).collect();
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let rows = session.query(&ranges.join(" union all "))?;
        let there: BTreeSet<i64> = rows.iter().map(number).collect::<Result<_>>()?;
        let fresh = std::mem::take(&mut self.fresh).into_values().flatten();
        Ok(fresh.filter(|id| !there.contains(id)).collect())
    }

    /// The table of numbers was emptied after a comparison: nothing that was in it is
    /// expected there.
    pub(super) fn emptied(&mut self) {
        self.acknowledged.clear();
        self.fresh.clear();
        self.done.clear();
    }

    /// Compares and notes what must hold; gives the rows of the table.
    pub(super) fn check(&mut self, findings: &mut Findings, port: u16, when: &str) -> Result<u64> {
        let compared = self.compare(port)?;
        findings.check(
            format!("every acknowledged number is there{when}"),
            compared.lost.is_empty(),
            match compared.lost.first() {
                None => format!("{} numbers", compared.there),
                Some(first) => format!("{} are lost, {first} first", compared.lost.len()),
            },
        );
        let (open, kept) = compared.open;
        findings.check(
            format!("no number is there that was refused{when}"),
            compared.strange.is_empty(),
            match compared.strange.first() {
                None => format!("{kept} of {open} unanswered are there"),
                Some(first) => format!("{} are, {first} first", compared.strange.len()),
            },
        );
        Ok(compared.there)
    }

    /// The errors, each with its number, most frequent first.
    pub(super) fn errors_by_text(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for error in &self.errors {
            *counts.entry(error).or_default() += 1;
        }
        let mut counts: Vec<(String, usize)> =
            counts.into_iter().map(|(e, n)| (e.clone(), n)).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }
}

fn ids(port: u16) -> Result<BTreeSet<i64>> {
    let mut session = Session::connect(port, LIMIT)?;
    let rows = session.query("select id from trial_witness")?;
    rows.iter().map(number).collect()
}

/// The only number of a row.
fn number(row: &TextRow) -> Result<i64> {
    let id = row.first().and_then(Option::as_deref);
    id.context("no number")?.parse().context("no number")
}

/// Asks for the numbers from the first to the last of these.
fn range(ids: &BTreeSet<i64>) -> Option<String> {
    let (first, last) = (ids.first()?, ids.last()?);
    Some(format!(
        "select id from trial_witness where id between {first} and {last}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_strangers_are_found() {
        let book = Book {
            acknowledged: [1, 2, 3].into(),
            open: [4, 5].into(),
            ..Book::default()
        };
        let compared = book.against(&[1, 3, 4, 9].into());
        assert_eq!((compared.lost, compared.strange), (vec![2], vec![9]));
        assert_eq!((compared.there, compared.open), (4, (2, 1)));
    }

    #[test]
    fn a_look_asks_for_what_is_new() {
        let ask = range(&[3, 4, 9].into()).unwrap();
        assert!(ask.ends_with("between 3 and 9"), "{ask}");
        assert_eq!(range(&BTreeSet::new()), None);
        let mut book = Book {
            acknowledged: [1].into(),
            ..Book::default()
        };
        book.emptied();
        assert_eq!(book.acknowledged(), 0);
    }

    #[test]
    fn numbers_go_on() {
        let mut book = Book::default();
        assert_eq!(book.next(1), RANGE + 1);
        assert_eq!(book.next(0), 1);
    }
}
