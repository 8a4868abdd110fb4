//! Vacuum: every page that is not visible to everyone is pruned, tids of dead
//! pointers are collected for the indexes, and afterwards their slots become free.
//! What is found on the way goes into the two maps.
//!
//! Pages that the visibility map marks are passed over where 32 or more of them
//! lie in a row (PostgreSQL's number: shorter gaps cost reading ahead more than
//! they save); how many rows they hold is estimated from a few of them.

use crate::all_visible::{self, Walk};
use crate::free_space::Writer;
use crate::page::{self, set_free_slots, set_pointer};
use crate::prune;
use crate::space::Space;
use crate::{map_file, truncate};
use alloc::vec::Vec;
use pg_buffer_port::{MiniTx, PageId, Scan, read_page};
use pg_heap_port::{DeadTids, FileId, HeapError, Tid, VacuumReport};
use pg_page::slots::{self, ItemPointer, State};
use pg_page::{PAGE_SIZE, header};
use pg_txn_port::Transaction;

/// So many marked pages in a row are passed over.
const WORTH_SKIPPING: u32 = 32;
/// A page with so many free bytes may be empty, but for pointers that lead nowhere.
const PERHAPS_EMPTY: usize = PAGE_SIZE / 4 * 3;
/// Of so many pages that are passed over the rows are counted.
const SAMPLE: u32 = 16;

/// See [`pg_heap_port::prune`].
pub fn prune_block(space: &Space, file: FileId, block: u32) -> Result<bool, HeapError> {
    let mut mtx = MiniTx::begin(0);
    let page = mtx.latch(PageId::new(file, block))?;
    if header::kind(mtx.page(page)) != page::KIND || all_visible::is_marked(mtx.page(page)) {
        return Ok(false);
    }
    let plan = prune::prune(&mut mtx, page)?;
    let free = page::free(mtx.page(page));
    mtx.commit()?;
    space.found(file, block, free);
    Ok(!plan.changes.is_empty())
}

/// See [`pg_heap_port::vacuum_collect`].
pub fn collect(
    space: &Space,
    tx: &Transaction,
    file: FileId,
) -> Result<(DeadTids, VacuumReport), HeapError> {
    let pages = pg_buffer_port::blocks(file)?;
    map_file::mend(all_visible::map_of(file))?;
    all_visible::lengthen(file, pages)?;
    let mut vacuum = Vacuum {
        file,
        report: VacuumReport {
            pages,
            ..VacuumReport::default()
        },
        dead: Vec::new(),
        map: Writer::new(file, pages)?,
        skipped: Vec::new(),
        scan: Scan::new(),
    };
    let mut walk = Walk::default();
    let mut marked = 0;
    for block in 0..pages {
        tx.check_cancel()?;
        // The last page is always looked at: the table may be cut behind it.
        if block + 1 < pages && walk.is_marked(file, block)? {
            marked += 1;
            continue;
        }
        vacuum.gap(space, block - marked..block)?;
        marked = 0;
        vacuum.page(space, block)?;
    }
    vacuum.end(space)
}

/// A vacuum under way.
struct Vacuum {
    file: FileId,
    report: VacuumReport,
    dead: Vec<Tid>,
    map: Option<Writer>,
    /// Pages that were passed over.
    skipped: Vec<core::ops::Range<u32>>,
    /// How far it is: pages come ahead, and those of a large table go again.
    scan: Scan,
}

impl Vacuum {
    /// Marked pages in a row.
    fn gap(&mut self, space: &Space, blocks: core::ops::Range<u32>) -> Result<(), HeapError> {
        if blocks.len() < WORTH_SKIPPING as usize {
            return blocks.into_iter().try_for_each(|b| self.page(space, b));
        }
        self.report.skipped += blocks.end - blocks.start;
        for block in blocks.clone() {
            let free = match &mut self.map {
                Some(map) => map.says(block)?,
                None => 0,
            };
            self.report.free_bytes += free as u64;
            // Empty pages that an earlier vacuum could not cut off are marked, too.
            if free < PERHAPS_EMPTY {
                self.report.in_use = block + 1;
            }
        }
        self.skipped.push(blocks);
        Ok(())
    }

    /// Prunes a page and notes what it has.
    fn page(&mut self, space: &Space, block: u32) -> Result<(), HeapError> {
        let report = &mut self.report;
        let mut mtx = MiniTx::begin(0);
        let page = self.scan.latch(&mut mtx, PageId::new(self.file, block))?;
        if header::kind(mtx.page(page)) == page::KIND {
            let plan = prune::prune(&mut mtx, page)?;
            report.live += u64::from(plan.live);
            report.removed += u64::from(plan.removed);
            report.kept_dead += u64::from(plan.kept_dead);
            let before = self.dead.len();
            let pointers = slots::pointers(mtx.page(page));
            let gone = pointers.filter(|(_, p)| p.state == State::Dead);
            self.dead
                .extend(gone.map(|(number, _)| Tid::new(block, number)));
            if self.dead.len() == before && plan.kept_dead == 0 {
                all_visible::mark(&mut mtx, page, &pg_txn_port::sight()?)?;
            }
            if !truncate::is_empty(mtx.page(page), true) {
                report.in_use = block + 1;
            }
        }
        let free = page::free(mtx.page(page));
        mtx.commit()?;
        report.free_bytes += free as u64;
        match &mut self.map {
            Some(map) => map.note(block, free),
            None => {
                space.found(self.file, block, free);
                Ok(())
            }
        }
    }

    fn end(mut self, space: &Space) -> Result<(DeadTids, VacuumReport), HeapError> {
        if let Some(map) = &mut self.map {
            map.write()?;
            space.file(self.file).map_is_new();
        }
        self.report.live += self.estimate()?;
        Ok((DeadTids::new(self.dead), self.report))
    }

    /// How many rows the pages hold that were passed over.
    fn estimate(&self) -> Result<u64, HeapError> {
        let all = u64::from(self.report.skipped);
        let looks = all.min(u64::from(SAMPLE));
        let mut rows = 0;
        for look in 0..looks {
            let mut nth = (look * all / looks) as u32;
            for range in &self.skipped {
                let len = range.end - range.start;
                if nth < len {
                    let page = read_page(PageId::new(self.file, range.start + nth))?;
                    let normal = |(_, p): &(u16, ItemPointer)| p.state == State::Normal;
                    rows += slots::pointers(&page).filter(normal).count() as u64;
                    break;
                }
                nth -= len;
            }
        }
        Ok((rows * all).checked_div(looks).unwrap_or(0))
    }
}

/// See [`pg_heap_port::vacuum_finish`].
pub fn finish(
    space: &Space,
    tx: &Transaction,
    file: FileId,
    dead: &DeadTids,
) -> Result<(), HeapError> {
    let has_map = map_file::blocks(crate::free_space::map_of(file))? > 0;
    for tids in dead.as_slice().chunk_by(|a, b| a.block == b.block) {
        tx.check_cancel()?;
        let Some(block) = tids.first().map(|t| t.block) else {
            continue;
        };
        let mut mtx = tx.change_pages(0);
        let page = mtx.latch(PageId::new(file, block))?;
        for tid in tids {
            let pointer = slots::pointer(mtx.page(page), tid.slot);
            if pointer.is_some_and(|p| p.state == State::Dead) {
                set_pointer(&mut mtx, page, tid.slot, ItemPointer::UNUSED);
                set_free_slots(&mut mtx, page, true);
            }
        }
        all_visible::mark(&mut mtx, page, &pg_txn_port::sight()?)?;
        let free = page::free(mtx.page(page));
        mtx.commit()?;
        if !has_map {
            space.found(file, block, free);
        }
    }
    Ok(())
}
