//! Vacuum: every page is pruned, tids of dead pointers are collected for the
//! indexes, and afterwards their slots become free.

use crate::page::{self, set_free_slots, set_pointer};
use crate::prune;
use crate::space::Space;
use alloc::vec::Vec;
use pg_buffer_port::{MiniTx, PageId};
use pg_heap_port::{DeadTids, FileId, HeapError, Tid, VacuumReport};
use pg_page::header;
use pg_page::slots::{self, ItemPointer, State};
use pg_txn_port::Transaction;

/// See [`pg_heap_port::prune`].
pub fn prune_block(space: &Space, file: FileId, block: u32) -> Result<bool, HeapError> {
    let mut mtx = MiniTx::begin(0);
    let page = mtx.latch(PageId::new(file, block))?;
    if header::kind(mtx.page(page)) != page::KIND {
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
    let mut report = VacuumReport {
        pages: pg_buffer_port::blocks(file)?,
        ..VacuumReport::default()
    };
    let mut dead = Vec::new();
    for block in 0..report.pages {
        tx.check_cancel()?;
        let mut mtx = tx.change_pages(0);
        let page = mtx.latch(PageId::new(file, block))?;
        if header::kind(mtx.page(page)) == page::KIND {
            let plan = prune::prune(&mut mtx, page)?;
            report.live += u64::from(plan.live);
            report.removed += u64::from(plan.removed);
            report.kept_dead += u64::from(plan.kept_dead);
            let pointers = slots::pointers(mtx.page(page));
            let gone = pointers.filter(|(_, p)| p.state == State::Dead);
            dead.extend(gone.map(|(number, _)| Tid::new(block, number)));
        }
        let free = page::free(mtx.page(page));
        mtx.commit()?;
        report.free_bytes += free as u64;
        space.found(file, block, free);
    }
    Ok((DeadTids::new(dead), report))
}

/// See [`pg_heap_port::vacuum_finish`].
pub fn finish(
    space: &Space,
    tx: &Transaction,
    file: FileId,
    dead: &DeadTids,
) -> Result<(), HeapError> {
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
        let free = page::free(mtx.page(page));
        mtx.commit()?;
        space.found(file, block, free);
    }
    Ok(())
}
