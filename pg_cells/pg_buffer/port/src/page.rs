//! Reading pages.

use crate::pool::{PoolState, VALID, any_pool, pool};
use crate::{BufferError, PageId};
use core::ops::Deref;
use core::sync::atomic::Ordering;
use frame::{Pin, ReadGuard, TryRead};
use pg_page::Page;

/// The most pages wanted and not read yet; more are forgotten.
const MOST_WANTED: usize = 1024;

/// A page for reading: pinned and share-latched. Dropping it gives both back. A
/// task must not read-latch the same page twice, nor wait for anything slow
/// while it holds one.
#[derive(Debug)]
pub struct PageRead(pub(crate) ReadGuard, pub(crate) PageId);

/// A page that stays where it is in memory, without a latch. Reading it again
/// needs no look-up.
#[derive(Debug)]
pub struct PagePin(Pin, PageId);

/// Pins and share-latches a page, reading it from the disk when it is not in
/// memory.
///
/// # Errors
/// [`BufferError::NoSuchPage`] beyond the file's end; `Io` or `Corrupt` when it
/// could not be read.
#[inline]
pub fn read_page(id: PageId) -> Result<PageRead, BufferError> {
    let pool = any_pool()?;
    let tag = id.pack();
    // Open once the page is latched: see `PoolState::if_open`.
    if let Some(index) = pool.table.look(pool.arena, tag)
        && let TryRead::Done(guard) = pool.arena.try_read(index, tag)
        && guard.frame().flags.load(Ordering::Acquire) & VALID != 0
        && pool.open.load(Ordering::Acquire)
    {
        pool.counters.hit();
        return Ok(PageRead(guard, id));
    }
    read_slowly(id)
}

#[cold]
fn read_slowly(id: PageId) -> Result<PageRead, BufferError> {
    let pool = pool()?;
    let guard = pool.if_open(crate::load::read(pool, id, false))?;
    Ok(PageRead(guard, id))
}

/// Starts reading pages that will be needed soon; those in memory cost nothing.
/// Never waits, and errors show when the page is read.
pub fn prefetch(pages: &[PageId]) {
    if let Ok(pool) = pool() {
        want(pool, pages.iter().copied(), false);
    }
}

/// The same, for pages that are read `once` or not.
pub(crate) fn want(pool: &PoolState, pages: impl Iterator<Item = PageId>, once: bool) {
    let mut absent = pages
        .filter(|page| pool.table.look(pool.arena, page.pack()).is_none())
        .peekable();
    if absent.peek().is_none() {
        return;
    }
    let mut wanted = pool.wanted.lock();
    let room = MOST_WANTED.saturating_sub(wanted.len());
    wanted.extend(absent.take(room).map(|page| (page, once)));
    drop(wanted);
    pool.wanting.wake_all();
}

/// Sets bits in the u16 at the even `offset` of a page that is only read: not
/// logged, and the page does not count as changed, so the bits may be lost, and
/// are skipped when another task reads the page at this moment, or when there are
/// commits that a power cut would take back. True when set.
pub fn set_hint(page: &mut PageRead, offset: usize, bits: u16) -> bool {
    if !pg_wal_port::is_durable_so_far() {
        return false;
    }
    page.0.change_if_alone(|bytes| {
        if let Some([low, high]) = bytes.get_mut(offset..offset.saturating_add(2)) {
            *low |= bits.to_le_bytes()[0];
            *high |= bits.to_le_bytes()[1];
        }
    })
}

impl PageRead {
    /// Which page it is.
    #[must_use]
    pub fn id(&self) -> PageId {
        self.1
    }

    /// Gives the latch back and keeps the page in memory.
    #[must_use]
    pub fn unlatch(self) -> PagePin {
        PagePin(self.0.unlatch(), self.1)
    }
}

impl Deref for PageRead {
    type Target = Page;
    #[inline]
    fn deref(&self) -> &Page {
        &self.0
    }
}

impl PagePin {
    /// Latches the page again. It may have changed meanwhile. Blocks while a
    /// mini-transaction changes it.
    #[must_use]
    pub fn read(self) -> PageRead {
        PageRead(self.0.read(), self.1)
    }
}
