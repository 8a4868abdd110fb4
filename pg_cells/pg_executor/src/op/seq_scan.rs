//! [`SeqScan`]: all visible rows of a table, a page at a time.

use super::Operator;
use super::decode::Decoder;
use crate::env::Env;
use crate::expr::Code;
use crate::store::RowBatch;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use pg_plan::{Counters, Relation};
use pg_types::{Datum, SqlResult};

/// A sequential scan.
pub struct SeqScan {
    file: u32,
    counters: Arc<Counters>,
    decoder: Decoder,
    filter: Option<Code>,
    /// Pages, once the scan has begun: rows added to later pages are not ours.
    blocks: Option<u32>,
    block: u32,
    batch: RowBatch,
    at: usize,
    row: Vec<Datum>,
}

impl SeqScan {
    /// A scan of `columns`, then the row id if wanted.
    pub fn new(
        relation: &Arc<Relation>,
        columns: &[usize],
        row_id: bool,
        filter: Option<Code>,
    ) -> Self {
        SeqScan {
            file: relation.file,
            counters: relation.counters.clone(),
            decoder: Decoder::new(relation, columns, row_id),
            filter,
            blocks: None,
            block: 0,
            batch: RowBatch::default(),
            at: 0,
            row: Vec::new(),
        }
    }

    /// Reads pages until one has rows; false at the end of the table.
    fn next_page(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        let blocks = match self.blocks {
            Some(blocks) => blocks,
            None => {
                self.counters.scans.fetch_add(1, Ordering::Relaxed);
                *self.blocks.insert(env.store.blocks(self.file)?)
            }
        };
        while self.block < blocks {
            env.tick()?;
            env.store
                .scan_block(self.file, self.block, &mut self.batch)?;
            self.block += 1;
            self.at = 0;
            if !self.batch.is_empty() {
                let rows = self.batch.len() as u64;
                self.counters.read.fetch_add(rows, Ordering::Relaxed);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Operator for SeqScan {
    fn next(&mut self, env: &mut Env<'_>) -> SqlResult<bool> {
        loop {
            let Some((id, bytes)) = self.batch.get(self.at) else {
                if self.next_page(env)? {
                    continue;
                }
                return Ok(false);
            };
            self.at += 1;
            env.tick()?;
            self.decoder.decode(bytes, id, &mut self.row)?;
            if let Some(filter) = &mut self.filter
                && !filter.is_true(&self.row, env)?
            {
                continue;
            }
            return Ok(true);
        }
    }

    fn row(&self) -> &[Datum] {
        &self.row
    }

    fn width(&self) -> usize {
        self.decoder.width()
    }

    fn reset(&mut self, _env: &mut Env<'_>) -> SqlResult<()> {
        self.blocks = None;
        self.block = 0;
        self.at = 0;
        self.batch.clear();
        Ok(())
    }
}
