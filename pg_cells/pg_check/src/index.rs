//! Trees by their own rules, and their entries against the rows: each leads to a
//! row, and each live row is in each index of its table, under its key where
//! that can be computed without evaluating expressions.

use crate::catalog::Relations;
use crate::heap::{Keys, Rows, Table, digest, place, what};
use crate::pages::Kind;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Bound;
use pg_btree_port::{Cursor, EntryBatch, IndexError};
use pg_buffer_port::{FileId, Fork, PageId};
use pg_check_port::{Finding, Place, Report, What};
use pg_heap_port::{Fault, Tid};
use pg_plan::Index;

/// Looks at all trees.
pub fn look(
    files: &BTreeMap<FileId, Kind>,
    relations: &Relations,
    rows: &Rows,
    report: &mut Report,
) {
    for (file, _) in files.iter().filter(|(_, kind)| **kind == Kind::Tree) {
        by_the_tree(*file, report);
    }
    for table in relations.tables() {
        let file = FileId::new(table.file, Fork::Main);
        let empty = Table::default();
        let has_rows = files.get(&file) == Some(&Kind::Heap);
        let found = if has_rows {
            rows.of(file)
        } else {
            Some(&empty)
        };
        let Some(found) = found else {
            continue;
        };
        for index in table.indexes.iter().filter(|i| i.valid) {
            compare(index, file, found, report);
        }
    }
}

/// What the tree itself says of its pages.
fn by_the_tree(file: FileId, report: &mut Report) {
    match pg_btree_port::check(file) {
        Ok(found) => {
            report.looked.entries += found.items;
            let known = found
                .findings
                .iter()
                .filter(|f| f.what != Fault::Unreadable);
            for finding in known {
                let page = PageId::new(file, finding.block);
                report.add(Finding::damage(
                    place(page, finding.slot),
                    what(finding.what),
                    "",
                ));
            }
        }
        Err(error) => unreadable(file, &error, report),
    }
}

fn unreadable(file: FileId, error: &IndexError, report: &mut Report) {
    let what = format!("{error:?}");
    report.add(Finding::damage(Place::File(file), What::Unreadable, what));
}

/// Looks at entries between two signs of life.
const SILENT: u32 = 1 << 16;

/// Called for each entry that is looked at: large indexes take long.
fn alive(looks: &mut u32) {
    *looks += 1;
    if *looks >= SILENT {
        *looks = 0;
        task_port::with_ledger(|ledger| ledger.sign_of_life());
    }
}

/// The entries of an index against the rows of its table.
fn compare(index: &Index, heap: FileId, table: &Table, report: &mut Report) {
    let file = FileId::new(index.file, Fork::Main);
    let mut entries = match entries(file) {
        Ok(entries) => entries,
        // A page that cannot be read has been reported.
        Err(IndexError::Storage(_)) => return,
        Err(error) => return unreadable(file, &error, report),
    };
    let mut looks = 0;
    entries.sort_unstable_by(|a, b| {
        alive(&mut looks);
        a.cmp(b)
    });
    if !table.is_partial {
        for (tid, _) in &entries {
            alive(&mut looks);
            if table.allowed.binary_search(tid).is_err() {
                let what = format!("index {} leads to {}", index.name, Tid::unpack(*tid));
                report.add(Finding::damage(row(heap, *tid), What::NoRow, what));
            }
        }
    }
    if index.predicate.is_none() {
        for tid in &table.required {
            alive(&mut looks);
            let at = entries.partition_point(|(entry, _)| entry < tid);
            if entries.get(at).is_none_or(|(entry, _)| entry != tid) {
                let what = format!("index {}", index.name);
                report.add(Finding::damage(row(heap, *tid), What::NoEntry, what));
            }
        }
    }
    if let Some(keys) = table.keys.iter().find(|k| k.index.oid == index.oid) {
        compare_keys(keys, heap, &entries, report);
    }
}

fn compare_keys(keys: &Keys, heap: FileId, entries: &[(u64, u64)], report: &mut Report) {
    let mut looks = 0;
    for wanted in &keys.entries {
        alive(&mut looks);
        let (tid, _) = wanted;
        let at = entries.partition_point(|(entry, _)| entry < tid);
        let has_any = entries.get(at).is_some_and(|(entry, _)| entry == tid);
        if has_any && entries.binary_search(wanted).is_err() {
            let what = format!("index {}", keys.index.name);
            report.add(Finding::damage(row(heap, *tid), What::Key, what));
        }
    }
}

fn row(heap: FileId, tid: u64) -> Place {
    let tid = Tid::unpack(tid);
    Place::Item(PageId::new(heap, tid.block), tid.slot)
}

/// All entries of an index: tid and digest of the key.
fn entries(file: FileId) -> Result<Vec<(u64, u64)>, IndexError> {
    let mut cursor = Cursor::new(Bound::Unbounded, Bound::Unbounded, false).with_keys();
    let mut batch = EntryBatch::new();
    let mut all = Vec::new();
    while pg_btree_port::next_batch(file, &mut cursor, &mut batch)? {
        for (at, tid) in batch.tids.iter().enumerate() {
            all.push((tid.pack(), digest(batch.key(at).unwrap_or(&[]))));
        }
    }
    Ok(all)
}
