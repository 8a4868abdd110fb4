//! Completing an index while others write the table: CREATE INDEX CONCURRENTLY.
//!
//! The index is there already, and whoever changes rows keeps it, so that only rows
//! that are older lack their entries. They get them one by one, from what a snapshot
//! sees; a row that has its entry keeps it. PostgreSQL builds the tree in bulk first
//! and then looks for what is missing; that is faster, and takes one more wait.
//!
//! An entry leads to the first version of a row's chain. Each page's chains are gone
//! along one by one, as scans of the finished index will: others may prune the page
//! between two looks. A first version keeps its slot until a vacuum, which waits for
//! the lock that the caller holds.

use super::with_env;
use crate::env::Env;
use crate::op::Builder;
use crate::op::decode::damaged;
use crate::op::modify::errors;
use crate::op::modify::indexes::{Entry, IndexWriter};
use crate::store::{Cursor, EntryBatch, RowBuf, Tid, main};
use alloc::vec::Vec;
use pg_executor_port::errors::heap_error;
use pg_executor_port::{ExecContext, IndexBuild};
use pg_types::{SqlResult, Tuple};

/// Adds the entries that are missing; gives their number.
///
/// # Errors
/// 23505 when a unique index finds equal keys; as the layers below; 57014.
pub fn complete(build: &IndexBuild<'_>, ctx: &mut ExecContext<'_>) -> SqlResult<u64> {
    with_env(ctx, |env| {
        let mut builder = Builder::default();
        let writer = IndexWriter::compile(build.relation, build.index, build.exprs, &mut builder)?;
        let desc = &build.relation.desc;
        let mut work = Work {
            build,
            needed: (0..desc.len()).map(|at| writer.touched_by(&[at])).collect(),
            writer,
            batch: EntryBatch::new(),
            added: 0,
        };
        work.run(env)?;
        Ok(work.added)
    })
}

struct Work<'a> {
    build: &'a IndexBuild<'a>,
    writer: IndexWriter,
    /// The columns that entries are made of.
    needed: Vec<bool>,
    batch: EntryBatch,
    added: u64,
}

impl Work<'_> {
    fn run(&mut self, env: &mut Env<'_>) -> SqlResult<()> {
        let table = self.build.relation;
        let (mut roots, mut row, mut values) = (Vec::new(), RowBuf::new(), Vec::new());
        for block in 0..env.store.blocks(table.file)? {
            pg_heap_port::roots(main(table.file), block, &mut roots).map_err(heap_error)?;
            roots.sort_unstable();
            roots.dedup();
            for slot in roots.iter().copied().filter(|slot| *slot != 0) {
                env.tick()?;
                let root = Tid::new(block, slot);
                let Some(version) = env.store.fetch(table.file, root, &mut row)? else {
                    continue;
                };
                Tuple::new(&table.desc, &row.bytes)
                    .and_then(|tuple| tuple.decode_into(&mut values, &self.needed))
                    .map_err(|_| damaged(version))?;
                let entry = self.writer.compute(&values, env)?;
                if entry != Entry::None && !self.is_there(root, env)? {
                    self.add(root, entry, env)?;
                }
            }
        }
        Ok(())
    }

    /// Whether whoever wrote the row has made its entry.
    fn is_there(&mut self, root: Tid, env: &mut Env<'_>) -> SqlResult<bool> {
        let mut cursor = Cursor::point(self.writer.key.clone());
        let index = self.build.index.file;
        while env.store.index_batch(index, &mut cursor, &mut self.batch)? {
            if self.batch.tids.contains(&root) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add(&mut self, root: Tid, entry: Entry, env: &mut Env<'_>) -> SqlResult<()> {
        let (table, index) = (self.build.relation.file, self.build.index.file);
        let alone = (entry == Entry::Unique).then_some(self.writer.key_len);
        let key = &self.writer.key;
        let in_the_way = env.store.index_insert(index, table, key, root, alone)?;
        if in_the_way.is_some() {
            // A row that was deleted since is in nobody's way: it has its entry for
            // those who still see it.
            if env.store.is_live(table, root)? {
                let format = env.session.format();
                let (relation, index) = (self.build.relation, self.build.index);
                let values = &self.writer.values;
                return Err(errors::not_unique(relation, index, values, format));
            }
            env.store.index_insert(index, table, key, root, None)?;
        }
        self.added += 1;
        Ok(())
    }
}
