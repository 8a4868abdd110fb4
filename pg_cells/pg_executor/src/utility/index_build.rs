//! Filling an index from the rows of its table: all keys are computed, sorted
//! and handed to the tree in order.
//!
//! An entry must lead to the first version of a row's chain, because later ones
//! may move when a page is pruned. A scan tells only where the visible version
//! lies; that it starts its chain is seen by fetching it as an entry would, and
//! for the few others the other items of the page are tried.

use super::with_env;
use crate::env::Env;
use crate::op::Builder;
use crate::op::decode::Decoder;
use crate::op::modify::errors;
use crate::op::modify::indexes::{Entry, IndexWriter};
use crate::store::{RowBatch, RowBuf, Tid};
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_buffer_port::{FileId, Fork};
use pg_executor_port::errors::index_error;
use pg_executor_port::{ExecContext, IndexBuild};
use pg_types::{Datum, KeyOrder, SqlResult, keycode};

/// Most items of a page.
const MOST_ITEMS: u16 = 2048;
/// Memory of an entry beside its key's bytes.
const ENTRY_BYTES: usize = 24;

/// Fills an index; gives the number of entries.
///
/// # Errors
/// 23505 when a unique index finds equal keys; 53200; as the layers below.
pub fn build(build: &IndexBuild<'_>, ctx: &mut ExecContext<'_>) -> SqlResult<u64> {
    let mut entries = with_env(ctx, |env| collect(build, env))?;
    entries.sort();
    if let Some(at) = entries.duplicate() {
        let key = decode(build, entries.key(at));
        return Err(errors::not_unique(
            build.relation,
            build.index,
            &key,
            ctx.session.format(),
        ));
    }
    let mut next = 0;
    let mut give = |key: &mut Vec<u8>| {
        let entry = *entries.order.get(next)?;
        next += 1;
        key.clear();
        key.extend_from_slice(entries.bytes_of(entry));
        Some(entry.tid)
    };
    let file = FileId::new(build.index.file, Fork::Main);
    pg_btree_port::bulk_build(file, &mut give).map_err(index_error)
}

/// Keys in one vector, with where each leads.
#[derive(Default)]
struct Entries {
    bytes: Vec<u8>,
    order: Vec<IndexEntry>,
}

#[derive(Clone, Copy)]
struct IndexEntry {
    start: usize,
    end: usize,
    tid: Tid,
    unique: bool,
}

impl Entries {
    fn bytes_of(&self, entry: IndexEntry) -> &[u8] {
        self.bytes.get(entry.start..entry.end).unwrap_or_default()
    }

    fn key(&self, at: usize) -> &[u8] {
        self.order.get(at).map_or(&[], |e| self.bytes_of(*e))
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let key = |e: &IndexEntry| bytes.get(e.start..e.end).unwrap_or_default();
        self.order
            .sort_unstable_by(|a, b| match key(a).cmp(key(b)) {
                Ordering::Equal => a.tid.cmp(&b.tid),
                other => other,
            });
    }

    /// The place of a key that must be unique and is not.
    fn duplicate(&self) -> Option<usize> {
        (1..self.order.len()).find(|&i| self.order[i].unique && self.key(i) == self.key(i - 1))
    }
}

fn collect(build: &IndexBuild<'_>, env: &mut Env<'_>) -> SqlResult<Entries> {
    let mut builder = Builder::default();
    let mut writer = IndexWriter::compile(build.relation, build.index, build.exprs, &mut builder)?;
    let mut decoder = Decoder::all(build.relation, false);
    let mut entries = Entries::default();
    let mut walk = Roots::default();
    let mut row = Vec::new();
    for block in 0..env.store.blocks(build.relation.file)? {
        walk.read(build.relation.file, block, env)?;
        for at in 0..walk.batch.len() {
            env.tick()?;
            let (Some((tid, bytes)), Some(root)) = (walk.batch.get(at), walk.roots.get(at)) else {
                continue;
            };
            decoder.decode(bytes, tid, &mut row)?;
            let entry = writer.compute(&row, env)?;
            if entry == Entry::None {
                continue;
            }
            env.run.memory.take(writer.key.len() + ENTRY_BYTES)?;
            let start = entries.bytes.len();
            entries.bytes.extend_from_slice(&writer.key);
            let end = entries.bytes.len();
            let unique = entry == Entry::Unique;
            entries.order.push(IndexEntry {
                start,
                end,
                tid: *root,
                unique,
            });
        }
    }
    Ok(entries)
}

/// The visible rows of a page with the first version of each one's chain.
#[derive(Default)]
struct Roots {
    batch: RowBatch,
    roots: Vec<Tid>,
    row: RowBuf,
}

impl Roots {
    fn read(&mut self, file: u32, block: u32, env: &mut Env<'_>) -> SqlResult<()> {
        env.store.scan_block(file, block, &mut self.batch)?;
        self.roots.clear();
        let mut strays = 0;
        for (tid, _) in self.batch.iter() {
            let first = env.store.fetch(file, tid, &mut self.row)? == Some(tid);
            strays += usize::from(!first);
            self.roots.push(if first { tid } else { Tid::default() });
        }
        let mut slot = 1;
        while strays > 0 && slot < MOST_ITEMS {
            let root = Tid::new(block, slot);
            slot += 1;
            let Some(version) = env.store.fetch(file, root, &mut self.row)? else {
                continue;
            };
            let at = self.batch.iter().position(|(tid, _)| tid == version);
            if let Some(place) = at.and_then(|at| self.roots.get_mut(at))
                && *place == Tid::default()
            {
                *place = root;
                strays -= 1;
            }
        }
        Ok(())
    }
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
