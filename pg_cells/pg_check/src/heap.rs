//! Rows: each page by its own rules (the heap knows them), then the versions
//! against the commit log, and which rows there are for `index` to compare.

use crate::catalog::Relations;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_buffer_port::{FileId, PageId, read_page};
use pg_check_port::{Finding, Place, Report, What};
use pg_heap_port::{Fault, Tid};
use pg_page::slots::{self, State};
use pg_page::tuple_header::{self, TupleHeader, bits};
use pg_page::{Page, header};
use pg_plan::{Index, Relation};
use pg_txn_port::{Xid, XidStatus};
use pg_types::tuple::Tuple;
use pg_types::{Datum, KeyOrder, keycode};

/// A heap page's flag: the visibility map has its bit.
const ALL_VISIBLE: u16 = 2;
/// So many ends of transactions are remembered.
const REMEMBERED: usize = 100_000;

/// The rows of all tables, as far as indexes must know them.
#[derive(Default)]
pub struct Rows {
    tables: BTreeMap<FileId, Table>,
    statuses: Statuses,
}

/// The rows of one table.
#[derive(Default)]
pub struct Table {
    /// Tids to which an entry may lead, ascending.
    pub allowed: Vec<u64>,
    /// Tids to which each index must have an entry, ascending.
    pub required: Vec<u64>,
    /// What must be in the indexes whose keys can be computed here.
    pub keys: Vec<Keys>,
    /// A page could not be read: rows are missing above.
    pub is_partial: bool,
}

/// The entries that an index must have.
pub struct Keys {
    /// The index.
    pub index: Arc<Index>,
    /// Tid and [`digest`] of the key.
    pub entries: Vec<(u64, u64)>,
}

/// A number that stands for a key (FNV-1a; Fowler, Noll, Vo).
#[must_use]
pub fn digest(key: &[u8]) -> u64 {
    key.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

impl Rows {
    /// Looks at a table.
    pub fn look(&mut self, file: FileId, relations: &Relations, report: &mut Report) {
        by_the_heap(file, report);
        let relation = relations.table(file);
        let mut table = Table {
            keys: relation.map(computable).unwrap_or_default(),
            ..Table::default()
        };
        let mut newest = (0, Place::File(file));
        for block in 0..pg_heap_port::blocks(file).unwrap_or(0) {
            let id = PageId::new(file, block);
            let Ok(page) = read_page(id) else {
                // `pages` has reported it.
                table.is_partial = true;
                continue;
            };
            if header::kind(&page) == 0 || !header::is_sane(&page) {
                continue;
            }
            let mut look = PageLook {
                id,
                page: &page,
                statuses: &mut self.statuses,
                newest: &mut newest,
            };
            look.run(relation, &mut table, report);
        }
        let limit =
            pg_txn_port::commit_log::open(pg_txn_port::Xid::FIRST).map_or(u64::MAX, |xid| xid.0);
        if newest.0 >= limit {
            let what = format!("{} of those below {limit}", newest.0);
            report.add(Finding::damage(newest.1, What::Xid, what));
        }
        self.tables.insert(file, table);
    }

    /// The rows of a table.
    pub fn of(&self, file: FileId) -> Option<&Table> {
        self.tables.get(&file)
    }
}

/// What the heap itself says of its pages.
fn by_the_heap(file: FileId, report: &mut Report) {
    match pg_heap_port::check(file) {
        Ok(found) => {
            report.looked.rows += found.items;
            for finding in found.findings {
                if finding.what == Fault::Unreadable {
                    continue;
                }
                let page = PageId::new(file, finding.block);
                report.add(Finding::damage(
                    place(page, finding.slot),
                    what(finding.what),
                    "",
                ));
            }
        }
        Err(error) => {
            let detail = format!("{error:?}");
            report.add(Finding::damage(Place::File(file), What::Unreadable, detail));
        }
    }
}

/// A page, or an item of it.
pub fn place(page: PageId, slot: u16) -> Place {
    match slot {
        0 => Place::Page(page),
        slot => Place::Item(page, slot),
    }
}

/// The heap's and the tree's words in those of a report.
pub fn what(fault: Fault) -> What {
    match fault {
        Fault::Kind => What::Kind,
        Fault::Header => What::Header,
        Fault::Item => What::Item,
        Fault::Redirect => What::Redirect,
        Fault::Chain => What::Chain,
        Fault::Marks => What::Marks,
        Fault::Order => What::Order,
        Fault::Link => What::Link,
        Fault::Parent => What::Parent,
        Fault::AllVisible => What::AllVisible,
        Fault::Unreadable => What::Unreadable,
    }
}

/// The indexes whose entries are columns of the key alone, for all rows.
fn computable(relation: &Arc<Relation>) -> Vec<Keys> {
    let simple = |i: &&Arc<Index>| {
        let plain = i.predicate.is_none() && i.included.is_empty();
        i.valid && plain && i.keys.iter().all(|k| k.attribute > 0)
    };
    let simple = relation.indexes.iter().filter(simple);
    simple
        .map(|index| Keys {
            index: Arc::clone(index),
            entries: Vec::new(),
        })
        .collect()
}

/// How transactions ended.
#[derive(Default)]
struct Statuses(hashbrown::HashMap<u64, XidStatus>);

impl Statuses {
    /// None while it runs, or when the commit log cannot be read.
    fn of(&mut self, xid: u64) -> Option<XidStatus> {
        if let Some(known) = self.0.get(&xid) {
            return Some(*known);
        }
        let status = pg_txn_port::status(Xid(xid)).ok()?;
        if status == XidStatus::InProgress {
            return None;
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(xid, status);
        Some(status)
    }
}

/// A page being looked at.
struct PageLook<'a> {
    id: PageId,
    page: &'a Page,
    statuses: &'a mut Statuses,
    newest: &'a mut (u64, Place),
}

impl PageLook<'_> {
    fn run(&mut self, relation: Option<&Arc<Relation>>, table: &mut Table, report: &mut Report) {
        let count = usize::from(slots::count(self.page)) + 1;
        let mut reached = alloc::vec![false; count];
        for (number, pointer) in slots::pointers(self.page) {
            let first = match pointer.state {
                State::Unused => continue,
                State::Dead => None,
                State::Redirect => Some(pointer.offset),
                State::Normal => {
                    let Some(version) = self.version(number) else {
                        continue;
                    };
                    self.transactions(number, &version, report);
                    if version.has(bits::HEAP_ONLY) {
                        continue;
                    }
                    Some(number)
                }
            };
            let tid = Tid::new(self.id.block, number).pack();
            table.allowed.push(tid);
            let live = first.and_then(|first| self.live(first, &mut reached));
            if let Some(live) = live {
                table.required.push(tid);
                self.keys(live, tid, relation, table, report);
            }
        }
        for (number, pointer) in slots::pointers(self.page) {
            let version = self.version(number);
            if pointer.state == State::Normal
                && let Some(version) = version
                && version.has(bits::HEAP_ONLY)
                && !reached[usize::from(number)]
                && self.is_live(&version)
            {
                let what = "no entry can lead to this version";
                let place = Place::Item(self.id, number);
                report.add(Finding::damage(place, What::Chain, what));
            }
        }
    }

    fn version(&self, slot: u16) -> Option<TupleHeader> {
        slots::item(self.page, slot).and_then(TupleHeader::read)
    }

    /// Marks and transactions of a version against the commit log.
    fn transactions(&mut self, slot: u16, version: &TupleHeader, report: &mut Report) {
        let place = Place::Item(self.id, slot);
        let newest = version.xmin.max(version.xmax);
        if newest > self.newest.0 {
            *self.newest = (newest, place);
        }
        let contradicts = |status, committed, aborted| match status {
            Some(XidStatus::Committed) => version.has(aborted),
            Some(XidStatus::Aborted) => version.has(committed),
            _ => false,
        };
        let xmin = self.statuses.of(version.xmin);
        if contradicts(xmin, bits::XMIN_COMMITTED, bits::XMIN_ABORTED) {
            let what = format!("xmin {} is {xmin:?}", version.xmin);
            report.add(Finding::damage(place, What::Hint, what));
        }
        if header::flags(self.page) & ALL_VISIBLE != 0 && !self.is_live(version) {
            let what = format!("xmin {}, xmax {}", version.xmin, version.xmax);
            report.add(Finding::damage(place, What::AllVisible, what));
        }
        if version.xmax == 0 || version.has(bits::XMAX_LOCK_ONLY) {
            return;
        }
        let xmax = self.statuses.of(version.xmax);
        if contradicts(xmax, bits::XMAX_COMMITTED, bits::XMAX_INVALID) {
            let what = format!("xmax {} is {xmax:?}", version.xmax);
            report.add(Finding::damage(place, What::Hint, what));
        }
    }

    /// Committed, and not ended by a committed transaction.
    fn is_live(&mut self, version: &TupleHeader) -> bool {
        let is_ended = version.xmax != 0 && !version.has(bits::XMAX_LOCK_ONLY);
        self.statuses.of(version.xmin) == Some(XidStatus::Committed)
            && !(is_ended && self.statuses.of(version.xmax) == Some(XidStatus::Committed))
    }

    /// The live version in the chain that begins at a slot. Marks what it meets.
    fn live(&mut self, first: u16, reached: &mut [bool]) -> Option<u16> {
        let mut slot = first;
        let mut live = None;
        let mut before: Option<TupleHeader> = None;
        loop {
            let version = self.version(slot)?;
            let place = reached.get_mut(usize::from(slot))?;
            let follows =
                before.is_none_or(|b| version.has(bits::HEAP_ONLY) && version.xmin == b.xmax);
            if *place || !follows {
                return live;
            }
            *place = true;
            if self.is_live(&version) {
                live = Some(slot);
            }
            if !version.has(bits::HOT_UPDATED) {
                return live;
            }
            slot = version.next_slot;
            before = Some(version);
        }
    }

    /// The keys that a row has.
    fn keys(
        &mut self,
        slot: u16,
        tid: u64,
        relation: Option<&Arc<Relation>>,
        table: &mut Table,
        report: &mut Report,
    ) {
        let Some((relation, item)) = relation.zip(slots::item(self.page, slot)) else {
            return;
        };
        let content = tuple_header::content(item);
        let row = Tuple::new(&relation.desc, content).and_then(|t| t.decode());
        let Ok(row) = row else {
            let place = Place::Item(self.id, slot);
            return report.add(Finding::damage(place, What::Row, ""));
        };
        for keys in &mut table.keys {
            let mut bytes = Vec::new();
            for column in &keys.index.keys {
                let order = KeyOrder {
                    desc: column.descending,
                    nulls_first: column.nulls_first,
                };
                let at = usize::try_from(column.attribute - 1).unwrap_or(usize::MAX);
                let value = row.get(at).unwrap_or(&Datum::Null);
                keycode::encode(&mut bytes, value, column.type_oid, order);
            }
            keys.entries.push((tid, digest(&bytes)));
        }
    }
}
