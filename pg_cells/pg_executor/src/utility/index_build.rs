//! Filling an index from the rows of its table: all keys are computed, sorted
//! and handed to the tree in order. Keys beyond the memory of the call
//! (`maintenance_work_mem`) go to disk as sorted runs.
//!
//! An entry must lead to the first version of a row's chain, because later ones
//! may move when a page is pruned: [`crate::store::RowStore::scan_roots`] tells.

use super::with_env;
use crate::env::Env;
use crate::op::Builder;
use crate::op::decode::damaged;
use crate::op::modify::errors;
use crate::op::modify::indexes::{Entry, IndexWriter};
use crate::pieces;
use crate::sort_key;
use crate::spill::merge::{Merge, reduce};
use crate::spill::tape::Tape;
use crate::store::{RowBatch, Tid};
use alloc::vec::Vec;
use pg_buffer_port::{FileId, Fork};
use pg_executor_port::errors::{index_error, txn_error};
use pg_executor_port::{ExecContext, IndexBuild};
use pg_txn_port::TxnError;
use pg_types::{Datum, KeyOrder, SqlError, SqlResult, Tuple, keycode, oid};

/// Keys between two looks at the cancel flag while the tree is filled.
const ROWS_PER_LOOK: usize = 256;

/// Fills an index; gives the number of entries.
///
/// # Errors
/// 23505 when a unique index finds equal keys; 53100; as the layers below.
pub fn build(build: &IndexBuild<'_>, ctx: &mut ExecContext<'_>) -> SqlResult<u64> {
    let cancel = ctx.tx.cancel_token().clone();
    let mut sorted = with_env(ctx, |env| collect(build, env))?;
    let mut failed: Option<SqlError> = None;
    let mut last: Vec<u8> = Vec::new();
    let mut count = 0;
    let mut give = |key: &mut Vec<u8>| {
        let (tid, alone) = match sorted.next(key) {
            Ok(Some(entry)) => entry,
            Ok(None) => return None,
            Err(error) => {
                failed = Some(error);
                return None;
            }
        };
        let unique = key.get(..alone).filter(|_| alone > 0 && count > 0);
        if unique.is_some_and(|unique| last.starts_with(unique)) {
            let key = decode(build, key);
            let format = ctx.session.format();
            failed = Some(errors::not_unique(
                build.relation,
                build.index,
                &key,
                format,
            ));
            return None;
        }
        count += 1;
        if usize::is_multiple_of(count, ROWS_PER_LOOK) {
            task_port::with_ledger(|ledger| ledger.sign_of_life());
            if cancel.is_cancelled() {
                failed = Some(txn_error(TxnError::Cancelled));
                return None;
            }
        }
        last.clear();
        last.extend_from_slice(key);
        Some(tid)
    };
    let file = FileId::new(build.index.file, Fork::Main);
    let built = pg_btree_port::bulk_build(file, &mut give);
    match failed {
        Some(error) => Err(error),
        None => built.map_err(index_error),
    }
}

/// Keys in one vector, with where each leads.
#[derive(Default)]
struct Entries {
    bytes: Vec<u8>,
    order: Vec<IndexEntry>,
}

#[derive(Clone, Copy)]
struct IndexEntry {
    /// The key's first bytes, as a number that orders like them.
    prefix: u64,
    start: u32,
    len: u16,
    /// How many of the first bytes must be no other entry's.
    alone: u16,
    tid: Tid,
}

/// The first eight bytes of a key; a shorter one is filled with zeros.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

impl Entries {
    fn key(&self, entry: IndexEntry) -> &[u8] {
        let start = entry.start as usize;
        self.bytes
            .get(start..start + usize::from(entry.len))
            .unwrap_or_default()
    }

    fn push(&mut self, key: &[u8], tid: Tid, alone: usize) {
        self.order.push(IndexEntry {
            prefix: prefix(key),
            start: self.bytes.len() as u32,
            len: key.len() as u16,
            alone: alone as u16,
            tid,
        });
        self.bytes.extend_from_slice(key);
    }

    fn memory(&self) -> usize {
        self.bytes.len() + self.order.len() * size_of::<IndexEntry>()
    }

    fn sort(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let mut order = core::mem::take(&mut self.order);
        let sorted = pieces::sort(&mut order, env, |a, b| {
            let by_prefix = a.prefix.cmp(&b.prefix);
            let by_key = by_prefix.then_with(|| self.key(*a).cmp(self.key(*b)));
            by_key.then_with(|| a.tid.cmp(&b.tid))
        });
        self.order = order;
        sorted
    }
}

/// Entries in order.
enum Sorted {
    Memory(Entries, usize),
    Disk(Merge),
}

impl Sorted {
    /// Puts the next entry's key into `key`; gives where it leads and how many of the
    /// first bytes must be no other entry's.
    fn next(&mut self, key: &mut Vec<u8>) -> SqlResult<Option<(Tid, usize)>> {
        key.clear();
        match self {
            Sorted::Memory(entries, at) => {
                let Some(entry) = entries.order.get(*at).copied() else {
                    return Ok(None);
                };
                *at += 1;
                key.extend_from_slice(entries.key(entry));
                Ok(Some((entry.tid, usize::from(entry.alone))))
            }
            Sorted::Disk(merge) => {
                if !merge.advance()? {
                    return Ok(None);
                }
                match (merge.keys(), merge.row()) {
                    ([Datum::Bytea(bytes), Datum::Tid(block, slot)], [Datum::Int2(alone)]) => {
                        key.extend_from_slice(bytes);
                        let alone = usize::try_from(*alone).unwrap_or(0);
                        Ok(Some((Tid::new(*block, *slot), alone)))
                    }
                    _ => Err(SqlError::internal("a sorted run of keys holds other rows")),
                }
            }
        }
    }
}

/// The order of entries on tapes: by key, then by where they lead.
fn tape_orders() -> [sort_key::KeyOrder; 2] {
    [oid::BYTEA, oid::TID].map(|type_oid| sort_key::KeyOrder {
        type_oid,
        descending: false,
        nulls_first: false,
    })
}

/// Writes entries in order and forgets them.
fn spill(entries: &mut Entries, tapes: &mut Vec<Tape>, env: &mut Env<'_>) -> SqlResult<()> {
    entries.sort(env)?;
    let mut tape = Tape::new(env)?;
    for entry in &entries.order {
        env.tick()?;
        let key = Datum::Bytea(entries.key(*entry).into());
        let tid = Datum::Tid(entry.tid.block, entry.tid.slot);
        tape.push(&[&[key, tid, Datum::Int2(entry.alone as i16)]])?;
    }
    tape.finish()?;
    tapes.push(tape);
    entries.bytes.clear();
    entries.order.clear();
    Ok(())
}

fn collect(build: &IndexBuild<'_>, env: &mut Env<'_>) -> SqlResult<Sorted> {
    let mut builder = Builder::default();
    let mut writer = IndexWriter::compile(build.relation, build.index, build.exprs, &mut builder)?;
    let desc = &build.relation.desc;
    // Only what keys are made of is read.
    let needed: Vec<bool> = (0..desc.len()).map(|at| writer.touched_by(&[at])).collect();
    let most = env.run.memory.work.min(u32::MAX as usize / 2);
    let mut entries = Entries::default();
    let mut tapes = Vec::new();
    let (mut batch, mut roots, mut row) = (RowBatch::default(), Vec::new(), Vec::new());
    let file = build.relation.file;
    for block in 0..env.store.blocks(file)? {
        env.store.scan_roots(file, block, &mut batch, &mut roots)?;
        for ((tid, bytes), root) in batch.iter().zip(&roots) {
            env.tick()?;
            Tuple::new(desc, bytes)
                .and_then(|tuple| tuple.decode_into(&mut row, &needed))
                .map_err(|_| damaged(tid))?;
            let entry = writer.compute(&row, env)?;
            if entry != Entry::None {
                let alone = match entry {
                    Entry::Unique => writer.key_len,
                    _ => 0,
                };
                entries.push(&writer.key, Tid::new(block, *root), alone);
            }
        }
        if entries.memory() > most && env.spill.is_some() {
            spill(&mut entries, &mut tapes, env)?;
        }
    }
    if tapes.is_empty() {
        entries.sort(env)?;
        return Ok(Sorted::Memory(entries, 0));
    }
    spill(&mut entries, &mut tapes, env)?;
    reduce(&tape_orders(), &mut tapes, env)?;
    Ok(Sorted::Disk(Merge::new(&tape_orders(), tapes)?))
}

/// The values of a key, for a message.
fn decode(build: &IndexBuild<'_>, mut key: &[u8]) -> Vec<Datum> {
    let mut values = Vec::new();
    for column in &build.index.keys {
        let order = KeyOrder {
            desc: column.descending,
            nulls_first: column.nulls_first,
        };
        values.push(keycode::decode(&mut key, column.type_oid, order).unwrap_or_default());
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_order_like_keys() {
        let keys: [&[u8]; 7] = [b"", b"\0", b"a", b"a\0", b"ab", b"abcdefgh", b"abcdefghi"];
        let mut entries = Entries::default();
        for (slot, key) in keys.iter().enumerate().rev() {
            entries.push(key, Tid::new(0, slot as u16), 0);
            entries.push(key, Tid::new(1, slot as u16), 0);
        }
        let cancel = pg_txn_port::CancelToken::new();
        crate::pieces::tests::with_env(&cancel, |env| entries.sort(env)).expect("not cancelled");
        let sorted: Vec<(&[u8], u32)> = entries
            .order
            .iter()
            .map(|e| (entries.key(*e), e.tid.block))
            .collect();
        let expected = keys.iter().flat_map(|key| [(*key, 0), (*key, 1)]);
        assert!(sorted.into_iter().eq(expected));
    }
}
