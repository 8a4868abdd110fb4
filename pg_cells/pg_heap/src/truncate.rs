//! Cutting empty pages off a table's end, the last step of a vacuum. The caller
//! holds the table exclusively, so nobody has an address of these pages in mind;
//! it ends early when somebody waits for the table.

use crate::page;
use crate::space::Space;
use crate::{all_visible, free_space};
use alloc::vec::Vec;
use pg_buffer_port::{BufferError, FileId, PageId, prefetch, read_page};
use pg_heap_port::HeapError;
use pg_page::slots::{self, State};
use pg_page::{Page, header};
use pg_txn_port::{LockTarget, Transaction};

/// How many pages are looked at before one looks whether somebody waits.
const STRIDE: u32 = 32;

/// Whether nothing is on the page. With `soon`, dead pointers do not count: the
/// vacuum under way makes them free.
pub fn is_empty(page: &Page, soon: bool) -> bool {
    let gone = |state| state == State::Unused || (soon && state == State::Dead);
    header::kind(page) == 0
        || (header::kind(page) == page::KIND && slots::pointers(page).all(|(_, p)| gone(p.state)))
}

/// See [`pg_heap_port::vacuum_truncate`].
pub fn truncate(
    space: &Space,
    tx: &Transaction,
    file: FileId,
    table: LockTarget,
) -> Result<u32, HeapError> {
    let pages = pg_buffer_port::blocks(file)?;
    let keep = last_in_use(tx, file, table, pages)?;
    if keep == pages {
        return Ok(0);
    }
    // The maps first: a page that exists again later is not what they say.
    all_visible::cut(file, keep)?;
    free_space::cut(file, keep)?;
    pg_buffer_port::truncate(&mut tx.change_pages(0), file, keep)?;
    space.file(file).cut(keep);
    Ok(pages - keep)
}

/// How many pages the table needs, going back from its end as long as nobody waits.
fn last_in_use(
    tx: &Transaction,
    file: FileId,
    table: LockTarget,
    pages: u32,
) -> Result<u32, HeapError> {
    let mut keep = pages;
    while let Some(last) = keep.checked_sub(1) {
        if (pages - keep).is_multiple_of(STRIDE) {
            tx.check_cancel()?;
            if tx.is_waited_for(table)? {
                break;
            }
            let ahead: Vec<PageId> = (keep.saturating_sub(STRIDE)..keep)
                .map(|block| PageId::new(file, block))
                .collect();
            prefetch(&ahead);
        }
        match read_page(PageId::new(file, last)) {
            Ok(page) if is_empty(&page, false) => keep = last,
            Ok(_) => break,
            Err(BufferError::NoSuchPage { .. }) => keep = last,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(keep)
}
