//! What the database must hold, and what a snapshot must see.
//!
//! The model does not know transaction ids, pages or the log. It knows when a
//! commit was asked for and when it was answered, when a snapshot was asked for
//! and when it was there, all on one clock. So each commit is before a snapshot,
//! after it, or beside it. What is beside it may be seen or not, but wholly: what
//! a reader finds is evidence for one or the other, and evidence must agree.
//!
//! The versions of a row form a chain, since a writer waits for the one before
//! it. Each version carries a tag that no other has, and names the version it
//! replaces, so a lost update is seen where it happens.

use crate::serial::Seen;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What tells versions apart. 0 stands for none.
pub type Tag = u64;
/// A transaction's number in the model.
pub type TxnNo = u64;
/// A row: its table and its id.
pub type Key = (u32, u32);

/// What a transaction has made of its rows.
pub type Changes = BTreeMap<Key, Change>;

/// What a transaction has made of a row.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version it replaces; 0 when there was no row.
    pub before: Tag,
    /// The new version's tag.
    pub tag: Tag,
    /// Its bytes; none for a deleted row.
    pub row: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Version {
    tag: Tag,
    row: Option<Vec<u8>>,
    txn: TxnNo,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// Asked to commit, no answer yet; or the power failed before it came.
    Open,
    /// Acknowledged.
    Committed,
    /// The answer was that nobody knows, until the next start.
    Unknown,
    /// The call did not return: a cell panicked. It is committed or not, and what
    /// is built on it, or not, tells.
    Faulted,
    /// It was asked to commit, and somebody has built on what was there before it:
    /// the system has rolled it back, and the answer, which is under way, must say so.
    TakenBack,
}

#[derive(Debug)]
struct Txn {
    asked: u64,
    answered: u64,
    fate: Fate,
    /// Acknowledged without being durable.
    lazy: Option<Lazy>,
}

/// What is known of a commit that did not wait for the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lazy {
    /// Its record ends behind this position of the log ...
    pub after: u64,
    /// ... and at or before this one.
    pub until: u64,
    /// It must survive a power cut at this time (ns) or later.
    pub safe_at: u64,
}

/// What the next start finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// Where the log ends ...
    pub log_end: u64,
    /// ... unless a start before this one was cut short after it had decided that,
    /// and began a new log: then somewhere behind this position.
    pub at_least: u64,
    /// When the power failed (ns).
    pub died_at: u64,
}

/// A snapshot as the model knows it.
#[derive(Clone, Debug, Default)]
pub struct Look {
    from: u64,
    to: u64,
    seen: BTreeMap<TxnNo, bool>,
}

/// The model.
#[derive(Debug, Default)]
pub struct Model {
    clock: u64,
    last_tag: Tag,
    last_txn: TxnNo,
    chains: BTreeMap<Key, Vec<Version>>,
    txns: BTreeMap<TxnNo, Txn>,
    /// Commits acknowledged.
    pub commits: u64,
    /// What committed serializable transactions have seen, since the last start.
    pub serial: BTreeMap<TxnNo, Seen>,
}

/// A tag as reports show it.
fn show(row: Option<&Version>) -> String {
    match row {
        None => "nothing".into(),
        Some(v) if v.row.is_none() => format!("deleted by {} (txn {})", v.tag, v.txn),
        Some(v) => format!("{} (txn {})", v.tag, v.txn),
    }
}

impl Model {
    /// The next moment.
    pub fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A new tag.
    pub fn tag(&mut self) -> Tag {
        self.last_tag += 1;
        self.last_tag
    }

    /// A transaction asks to commit.
    ///
    /// # Errors
    /// When one of its changes replaces something else than the newest version.
    pub fn ask(&mut self, changes: Changes) -> Result<TxnNo, String> {
        self.last_txn += 1;
        let no = self.last_txn;
        let asked = self.now();
        let txn = Txn {
            asked,
            answered: u64::MAX,
            fate: Fate::Open,
            lazy: None,
        };
        self.txns.insert(no, txn);
        for (key, change) in changes {
            if change.before == 0 && change.row.is_none() {
                // Made and deleted again: nobody else ever sees it.
                continue;
            }
            self.decide(key, change.before)?;
            let chain = self.chains.entry(key).or_default();
            let last = chain.last();
            let current = last.map_or(0, |v| if v.row.is_some() { v.tag } else { 0 });
            if current != change.before {
                let last = show(last);
                return Err(format!(
                    "row {key:?}: {} replaces {}, but the newest is {last}",
                    change.tag, change.before
                ));
            }
            if let Some(txn) = last.and_then(|v| self.txns.get(&v.txn))
                && txn.fate == Fate::Unknown
            {
                let last = show(last);
                return Err(format!(
                    "row {key:?}: replaced {last}, whose commit has failed"
                ));
            }
            chain.push(Version {
                tag: change.tag,
                row: change.row,
                txn: no,
            });
        }
        Ok(no)
    }

    /// A row's newest version may be of a commit whose call did not return, or whose
    /// answer has not come yet: what is built on the row tells what became of it.
    fn decide(&mut self, key: Key, before: Tag) -> Result<(), String> {
        while let Some(last) = self.chains.get(&key).and_then(|chain| chain.last()) {
            let (no, tag) = (last.txn, if last.row.is_some() { last.tag } else { 0 });
            let Some(txn) = self.txns.get_mut(&no) else {
                break;
            };
            match txn.fate {
                Fate::Faulted if tag == before => {
                    txn.fate = Fate::Committed;
                    txn.answered = self.clock;
                }
                Fate::Faulted => self.refused(no)?,
                Fate::Open if tag != before => {
                    txn.fate = Fate::TakenBack;
                    self.forget_changes(no)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// The call that was to commit did not return.
    pub fn faulted(&mut self, no: TxnNo) {
        match self.txns.get_mut(&no) {
            Some(txn) if txn.fate == Fate::TakenBack => drop(self.txns.remove(&no)),
            Some(txn) => txn.fate = Fate::Faulted,
            None => {}
        }
    }

    /// A transaction that has changed nothing is given a number.
    pub fn reader(&mut self) -> TxnNo {
        self.last_txn += 1;
        self.last_txn
    }

    /// The rows, each with who wrote its versions, oldest first.
    pub fn writers(&self) -> impl Iterator<Item = (Key, Vec<TxnNo>)> {
        let writers = |chain: &Vec<Version>| chain.iter().map(|v| v.txn).collect();
        self.chains
            .iter()
            .map(move |(key, chain)| (*key, writers(chain)))
    }

    /// The commit was acknowledged, perhaps before it was durable.
    ///
    /// # Errors
    /// When somebody has built on what was there before it.
    pub fn committed(&mut self, no: TxnNo, lazy: Option<Lazy>) -> Result<(), String> {
        let now = self.now();
        let txn = self.standing(no)?;
        txn.fate = Fate::Committed;
        txn.answered = now;
        txn.lazy = lazy;
        self.commits += 1;
        Ok(())
    }

    /// The commit failed, and nobody knows.
    ///
    /// # Errors
    /// As [`Model::committed`]: somebody has known.
    pub fn unknown(&mut self, no: TxnNo) -> Result<(), String> {
        self.standing(no)?.fate = Fate::Unknown;
        Ok(())
    }

    /// A transaction that was asked to commit and that nobody has seen rolled back.
    fn standing(&mut self, no: TxnNo) -> Result<&mut Txn, String> {
        match self.txns.get_mut(&no) {
            Some(txn) if txn.fate != Fate::TakenBack => Ok(txn),
            _ => Err(format!(
                "txn {no} is not refused, and others built on what was before it"
            )),
        }
    }

    /// The commit failed for sure.
    ///
    /// # Errors
    /// When somebody has built on it.
    pub fn refused(&mut self, no: TxnNo) -> Result<(), String> {
        self.txns.remove(&no);
        self.forget_changes(no)
    }

    fn forget_changes(&mut self, no: TxnNo) -> Result<(), String> {
        for (key, chain) in &mut self.chains {
            let built_on = chain.iter().rposition(|v| v.txn == no);
            if built_on.is_some_and(|at| at + 1 != chain.len()) {
                return Err(format!("row {key:?} was built on a refused commit"));
            }
            chain.retain(|v| v.txn != no);
        }
        Ok(())
    }

    /// The system has started anew: commits that did not wait for the disk are
    /// there if the log has them. What was unknown is decided by what is found.
    ///
    /// # Errors
    /// When a commit is lost that must not be.
    pub fn restart(&mut self, start: Start) -> Result<(), String> {
        let mut lost = BTreeSet::new();
        self.serial.clear();
        for (no, txn) in &mut self.txns {
            if matches!(txn.fate, Fate::Unknown | Fate::Faulted) {
                txn.fate = Fate::Open;
            }
            let Some(lazy) = txn.lazy.take() else {
                continue;
            };
            if start.at_least >= lazy.until {
                continue;
            }
            if start.log_end < lazy.until && start.died_at >= lazy.safe_at {
                return Err(format!(
                    "txn {no} is lost: {lazy:?}, the log ends at {start:?}"
                ));
            }
            txn.fate = Fate::Open;
            txn.answered = u64::MAX;
            if start.log_end <= lazy.after {
                lost.insert(*no);
            }
        }
        while let Some(no) = lost.pop_first() {
            self.txns.remove(&no);
            for (key, chain) in &mut self.chains {
                let Some(at) = chain.iter().position(|v| v.txn == no) else {
                    continue;
                };
                // What was built on it is later in the log.
                for version in chain.drain(at..).skip(1) {
                    match self.txns.get(&version.txn) {
                        Some(txn) if txn.fate == Fate::Open => lost.insert(version.txn),
                        _ => {
                            return Err(format!("row {key:?} was built on lost txn {no}"));
                        }
                    };
                }
            }
        }
        Ok(())
    }

    /// Decides what was open by what a look over everything has found.
    pub fn settle(&mut self, look: &Look) {
        let open: Vec<TxnNo> = (self.txns.iter())
            .filter(|(_, t)| matches!(t.fate, Fate::Open | Fate::Faulted))
            .map(|(no, _)| *no)
            .collect();
        for no in open {
            if look.seen.get(&no) == Some(&true) {
                let now = self.now();
                if let Some(txn) = self.txns.get_mut(&no) {
                    (txn.fate, txn.answered) = (Fate::Committed, now);
                }
            } else {
                self.txns.remove(&no);
                for chain in self.chains.values_mut() {
                    chain.retain(|v| v.txn != no);
                }
            }
        }
    }

    /// Forgets the tables that do not exist: their numbers may be used again.
    pub fn retain(&mut self, exists: impl Fn(u32) -> bool) {
        self.chains.retain(|key, _| exists(key.0));
    }

    /// Whether there are transactions whose end is not known.
    pub fn has_unknown(&self) -> bool {
        self.txns.values().any(|t| t.fate == Fate::Unknown)
    }

    /// Which versions of a chain a look may find, as numbers of versions that are
    /// seen: those before a commit that is surely seen are, too.
    fn allowed(&self, look: &Look, chain: &[Version]) -> std::ops::RangeInclusive<usize> {
        let txn = |v: &Version| self.txns.get(&v.txn);
        let sure = |v: &Version| {
            let before = txn(v).is_none_or(|t| t.answered < look.from);
            before || look.seen.get(&v.txn) == Some(&true)
        };
        let never = |v: &Version| {
            let after = txn(v).is_some_and(|t| t.asked > look.to || t.fate == Fate::Unknown);
            after || look.seen.get(&v.txn) == Some(&false)
        };
        let least = chain.iter().rposition(sure).map_or(0, |at| at + 1);
        let most = chain.iter().position(never).unwrap_or(chain.len());
        least..=most
    }

    /// Whether a look may find this of a row. If that decides about commits, it
    /// is remembered. The number of versions that were there, if it is sure.
    ///
    /// # Errors
    /// What should have been found.
    pub fn check(
        &self,
        look: &mut Look,
        key: Key,
        found: Option<&[u8]>,
    ) -> Result<Option<usize>, String> {
        let none = Vec::new();
        let chain = self.chains.get(&key).unwrap_or(&none);
        let allowed = self.allowed(look, chain);
        let row = |count: usize| {
            let version = chain.get(count.checked_sub(1)?)?;
            version.row.as_deref()
        };
        let fitting: Vec<usize> = allowed.clone().filter(|n| row(*n) == found).collect();
        if let [count] = fitting[..] {
            for (at, version) in chain.iter().enumerate() {
                let open = |t: &Txn| t.answered >= look.from;
                if self.txns.get(&version.txn).is_some_and(open) {
                    look.seen.insert(version.txn, at < count);
                }
            }
        }
        if !fitting.is_empty() {
            return Ok(match fitting[..] {
                [count] => Some(count),
                _ => None,
            });
        }
        let at = |count: usize| count.checked_sub(1).and_then(|at| chain.get(at));
        let wanted: Vec<String> = allowed.map(|count| show(at(count))).collect();
        let found = found.map(|row| (crate::row::tag(row), row.len()));
        Err(format!(
            "row {key:?}: found tag and length {found:?}, expected one of {wanted:?} in {:?}; look {look:?}",
            chain.iter().map(|v| show(Some(v))).collect::<Vec<_>>()
        ))
    }

    /// Whether a look may find the row absent, or such that `other` is true of
    /// it.
    pub fn may_lack(&self, look: &Look, key: Key, other: impl Fn(&[u8]) -> bool) -> bool {
        let Some(chain) = self.chains.get(&key) else {
            return true;
        };
        self.allowed(look, chain).any(|count| {
            let version = count.checked_sub(1).and_then(|at| chain.get(at));
            version.and_then(|v| v.row.as_deref()).is_none_or(&other)
        })
    }

    /// All rows of a table that ever were.
    pub fn keys(&self, table: u32) -> Vec<Key> {
        let range = (table, 0)..=(table, u32::MAX);
        self.chains.range(range).map(|(key, _)| *key).collect()
    }

    /// Whether the row was there at some moment from `since` on, be it by a
    /// commit under way.
    pub fn was_live(&self, key: Key, since: u64) -> bool {
        let chain = self.chains.get(&key).map_or(&[][..], Vec::as_slice);
        let replaced = |at: usize| {
            let next = chain.get(at + 1).and_then(|v| self.txns.get(&v.txn));
            next.map_or(at + 1 < chain.len(), |t| t.answered < since)
        };
        let live = |(at, v): (usize, &Version)| v.row.is_some() && !replaced(at);
        chain.iter().enumerate().any(live)
    }
}

impl Look {
    /// A snapshot that was asked for at `from` and there at `to`.
    #[must_use]
    pub fn new(from: u64, to: u64) -> Self {
        Look {
            from,
            to,
            ..Look::default()
        }
    }
}

/// The model as tasks share it. Nothing of the system is called under its lock.
pub type Shared = Arc<Mutex<Model>>;

#[cfg(test)]
mod tests;
