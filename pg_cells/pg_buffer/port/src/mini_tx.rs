//! Changing pages: the mini-transaction.

use crate::load;
use crate::pool::{DIRTY, MEMORIES, PoolState, VALID, any_pool, pool};
use crate::record::{Block, How, encode_image};
use crate::{BufferError, FileId, PageId};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::Exclusive;
use pg_page::ops::Op;
use pg_page::{PAGE_SIZE, Page, get_u16, header};
use pg_wal_port::record::{ABORT, Builder, COMMIT};
use pg_wal_port::{Lsn, WalError};
use task_port::Held;

/// The most pages of one mini-transaction.
pub const MAX_PAGES: usize = 32;

/// A page within its mini-transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(u8);

/// A latched page.
#[derive(Debug)]
struct Latched {
    page: PageId,
    /// None after a release.
    exclusive: Option<Exclusive>,
    /// None as long as it is unchanged.
    how: Option<How>,
    /// It exists once the log has the record, and no frame holds it otherwise.
    to_come: bool,
}

impl Latched {
    /// Whether it was released: its slot may be given to another page.
    #[inline]
    fn is_free(&self) -> bool {
        self.exclusive.is_none() && self.how.is_none()
    }
}

/// What a mini-transaction holds; in the ledger as a whole. The next one uses it
/// again.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    pool: Option<&'static PoolState>,
    generation: u64,
    xid: u64,
    kind: u16,
    pages: Vec<Latched>,
    /// The operations so far, as they go into the record.
    ops: Vec<u8>,
    /// The bytes they wrote over: bytes, slot u8, offset u16, length u16, ...
    undo: Vec<u8>,
    /// The record.
    record: Builder,
    /// The page of a change that made no sense.
    bad: Option<PageId>,
}

/// One whose memory is larger than this is not used again.
const KEEP: usize = 64 << 10;
/// How many wait for the next use, by CPU.
const KEPT: usize = 8;

/// The fixed part of an undo entry, behind its bytes.
const UNDO: usize = 5;

/// A mini-transaction: changes of a few pages that reach the log as one record,
/// or not at all. It holds the exclusive latch of each page from
/// [`MiniTx::latch`] to its end. Dropping it without [`MiniTx::commit`] puts the
/// pages back as they were, also when a fault skips the frame that owns it.
///
/// Latches are waited for without any check for cycles: take them in an order
/// that all users of the pages share (for trees: down, and left to right). The
/// same task must not hold a [`crate::PageRead`] of a page it latches here.
pub struct MiniTx(Option<Held<Inner>>);

impl MiniTx {
    /// Begins one on behalf of transaction `xid` (0: of none). May wait for a
    /// checkpoint to free the log, so begin before latching anything.
    #[must_use]
    pub fn begin(xid: u64) -> MiniTx {
        // An error shows again at the commit.
        let _ = pg_wal_port::wait_for_space();
        MiniTx::begin_now(xid, None)
    }

    /// The same for one who began his work in the log's start `start`
    /// ([`pg_wal_port::epoch`]): nothing can be done with it when the log has begun
    /// anew since, so what he has learned before is not mixed with what is now.
    #[must_use]
    pub fn begin_in(start: u32, xid: u64) -> MiniTx {
        let mut mtx = MiniTx::begin(xid);
        // After the generation was noted: a pool of a later generation is open only
        // when the log's start is a later one, too.
        if pg_wal_port::epoch() != start {
            mtx.inner_mut().pool = None;
        }
        mtx
    }

    /// The same for one within another, whose generation it must be: never waits.
    pub(crate) fn begin_now(xid: u64, generation: Option<u64>) -> MiniTx {
        let now = any_pool().map_or(0, |p| p.generation.load(Ordering::SeqCst));
        let pool = pool().ok();
        let kept = pool.and_then(|p| p.memory[cpu::id() % MEMORIES].lock().pop());
        let mut inner = kept.unwrap_or_default();
        inner.pool = pool;
        inner.generation = generation.unwrap_or(now);
        inner.xid = xid;
        MiniTx(Some(Held::from_box(inner)))
    }

    /// Which generation of the pool it belongs to.
    pub(crate) fn generation(&self) -> u64 {
        self.inner().generation
    }

    #[inline]
    fn inner(&self) -> &Inner {
        match &self.0 {
            Some(inner) => inner,
            None => unreachable!("taken out by its drop only"),
        }
    }

    #[inline]
    fn inner_mut(&mut self) -> &mut Inner {
        match &mut self.0 {
            Some(inner) => inner,
            None => unreachable!("taken out by its drop only"),
        }
    }

    /// The transaction's number given at the beginning.
    #[must_use]
    pub fn xid(&self) -> u64 {
        self.inner().xid
    }

    /// Pins and exclusively latches a page until the end; the same slot again
    /// when it is latched already.
    ///
    /// # Errors
    /// As [`crate::read_page`]; [`BufferError::TooLarge`] beyond 32 pages.
    pub fn latch(&mut self, id: PageId) -> Result<Slot, BufferError> {
        self.latch_for(id, false)
    }

    /// The same, for who reads pages `once`, or for others.
    pub(crate) fn latch_for(&mut self, id: PageId, once: bool) -> Result<Slot, BufferError> {
        if let Some(slot) = self.slot_of(id) {
            return Ok(slot);
        }
        let pool = self.inner().roomy_pool()?;
        let exclusive = pool.if_open(load::exclusive(pool, id, once))?;
        Ok(self.inner_mut().add(id, exclusive, None))
    }

    /// The same if nobody else has the page latched; `None` otherwise. May read
    /// the page from the disk.
    ///
    /// # Errors
    /// As [`MiniTx::latch`].
    pub fn try_latch(&mut self, id: PageId) -> Result<Option<Slot>, BufferError> {
        if let Some(slot) = self.slot_of(id) {
            return Ok(Some(slot));
        }
        let pool = self.inner().roomy_pool()?;
        let exclusive = pool.if_open(load::try_exclusive(pool, id))?;
        Ok(exclusive.map(|e| self.inner_mut().add(id, e, None)))
    }

    /// Appends an all-zero page to a file, latched here. The file grows at once,
    /// with a log record of its own: when this mini-transaction is undone, or
    /// the power fails before its record, the zero page stays.
    ///
    /// # Errors
    /// [`BufferError::NoSuchPage`] when there is no such file,
    /// [`BufferError::DiskFull`], and as [`MiniTx::latch`].
    pub fn extend(&mut self, file: FileId) -> Result<(Slot, u32), BufferError> {
        let pool = self.inner().roomy_pool()?;
        let inner = self.inner();
        let (page, exclusive) = crate::files::extend(pool, inner.xid, inner.generation, file)?;
        Ok((self.inner_mut().add(page, exclusive, None), page.block))
    }

    /// Latches a page that is about to exist, as zeros.
    pub(crate) fn latch_blank(&mut self, id: PageId) -> Result<Slot, BufferError> {
        let pool = self.inner().roomy_pool()?;
        let exclusive = load::blank(pool, id)?;
        let slot = self.inner_mut().add(id, exclusive, Some(How::Zero));
        if let Some(latched) = self.inner_mut().pages.get_mut(usize::from(slot.0)) {
            latched.to_come = true;
        }
        Ok(slot)
    }

    fn slot_of(&self, id: PageId) -> Option<Slot> {
        let at = |l: &Latched| l.page == id && l.exclusive.is_some();
        let slot = self.inner().pages.iter().position(at)?;
        Some(Slot(slot as u8))
    }

    /// Gives back a page that was not changed. The slot must not be used again.
    /// Does nothing to a changed page.
    pub fn release(&mut self, slot: Slot) {
        if let Some(latched) = self.inner_mut().pages.get_mut(usize::from(slot.0))
            && latched.how.is_none()
        {
            latched.exclusive = None;
        }
    }

    /// The page's address.
    #[must_use]
    pub fn page_id(&self, slot: Slot) -> PageId {
        self.inner().pages[usize::from(slot.0)].page
    }

    /// The page as it stands.
    ///
    /// # Panics
    /// When the slot was released or is another mini-transaction's.
    #[inline]
    #[must_use]
    pub fn page(&self, slot: Slot) -> &Page {
        match &self.inner().pages[usize::from(slot.0)].exclusive {
            Some(exclusive) => exclusive,
            None => panic!("the page was released"),
        }
    }

    /// Writes `bytes` at `offset`. A change that would reach outside the page is
    /// not done, and makes the commit fail with [`BufferError::Corrupt`]; the
    /// same for all changes below. The header's checksum and LSN are not the
    /// caller's to write.
    pub fn write(&mut self, slot: Slot, offset: usize, bytes: &[u8]) {
        let op = u16::try_from(offset).map(|offset| Op::Write { offset, bytes });
        self.inner_mut().change(slot, op.ok());
    }

    /// Copies `len` bytes from `from` to `to` within the page; the ranges may
    /// overlap.
    pub fn shift(&mut self, slot: Slot, from: usize, to: usize, len: usize) {
        let op = || {
            Some(Op::Move {
                from: u16::try_from(from).ok()?,
                to: u16::try_from(to).ok()?,
                len: u16::try_from(len).ok()?,
            })
        };
        self.inner_mut().change(slot, op());
    }

    /// Writes `byte` over `len` bytes at `offset`.
    pub fn fill(&mut self, slot: Slot, offset: usize, len: usize, byte: u8) {
        let op = || {
            Some(Op::Fill {
                offset: u16::try_from(offset).ok()?,
                len: u16::try_from(len).ok()?,
                byte,
            })
        };
        self.inner_mut().change(slot, op());
    }

    /// Sets the page up anew: all zero but the header, see
    /// [`pg_page::header::init`].
    pub fn init(&mut self, slot: Slot, kind: u8, special_size: u16) {
        self.inner_mut()
            .change(slot, Some(Op::Init { kind, special_size }));
    }

    /// Sets bits in the u16 at `offset`, as [`crate::set_hint`] does: not logged,
    /// and no change of the page, so the bits may be lost.
    pub fn set_hint(&mut self, slot: Slot, offset: usize, bits: u16) {
        if !pg_wal_port::is_durable_so_far() {
            return;
        }
        let latched = self.inner_mut().pages.get_mut(usize::from(slot.0));
        if let Some(page) = latched.and_then(|l| l.exclusive.as_mut())
            && let Some([low, high]) = page.get_mut(offset..offset.saturating_add(2))
        {
            *low |= bits.to_le_bytes()[0];
            *high |= bits.to_le_bytes()[1];
        }
    }

    /// Notes in the record that it commits transaction `xid`.
    pub fn mark_commit(&mut self, xid: u64) {
        self.inner_mut().xid = xid;
        self.inner_mut().kind |= COMMIT;
    }

    /// Notes in the record that it aborts transaction `xid`.
    pub fn mark_abort(&mut self, xid: u64) {
        self.inner_mut().xid = xid;
        self.inner_mut().kind |= ABORT;
    }

    /// Appends the record and gives the pages back, changed. The result is the
    /// record's end: [`pg_wal_port::flush`] it to make the changes durable. A
    /// mini-transaction without changes or marks appends nothing; its end is 0.
    ///
    /// # Errors
    /// When the record could not be appended; everything is undone then.
    pub fn commit(mut self) -> Result<Lsn, BufferError> {
        self.inner_mut().commit()
    }

    /// Commits, and keeps the page of `slot` latched.
    pub(crate) fn commit_keeping(mut self, slot: Slot) -> Result<Exclusive, BufferError> {
        self.inner_mut().commit()?;
        let latched = self.inner_mut().pages.get_mut(usize::from(slot.0));
        latched
            .and_then(|l| l.exclusive.take())
            .ok_or(BufferError::Stopped)
    }
}

impl core::fmt::Debug for MiniTx {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let pages = self.inner().pages.iter().map(|p| p.page);
        f.debug_list().entries(pages).finish()
    }
}

impl Inner {
    fn roomy_pool(&self) -> Result<&'static PoolState, BufferError> {
        if self.pages.len() >= MAX_PAGES && !self.pages.iter().any(Latched::is_free) {
            return Err(BufferError::TooLarge);
        }
        self.pool.ok_or(BufferError::NotRunning)
    }

    fn add(&mut self, page: PageId, exclusive: Exclusive, how: Option<How>) -> Slot {
        let latched = Latched {
            page,
            exclusive: Some(exclusive),
            how,
            to_come: false,
        };
        if let Some(at) = self.pages.iter().position(Latched::is_free) {
            self.pages[at] = latched;
            return Slot(at as u8);
        }
        self.pages.push(latched);
        Slot((self.pages.len() - 1) as u8)
    }

    /// Does one change: remembers what it writes over, applies it, notes it.
    #[inline]
    fn change(&mut self, slot: Slot, op: Option<Op<'_>>) {
        let latched = &mut self.pages[usize::from(slot.0)];
        let target = op.and_then(|op| op.target());
        let (Some(op), Some(target), Some(page)) = (op, target, latched.exclusive.as_mut()) else {
            self.bad = Some(latched.page);
            return;
        };
        let (offset, len) = (target.start as u16, target.len() as u16);
        self.undo.extend_from_slice(&page[target]);
        let ([o0, o1], [l0, l1]) = (offset.to_le_bytes(), len.to_le_bytes());
        self.undo.extend_from_slice(&[slot.0, o0, o1, l0, l1]);
        if latched.how.is_none() {
            // A page that is set up anew need not be read or logged whole.
            let anew = matches!(op, Op::Init { .. });
            latched.how = Some(if anew { How::Zero } else { How::Change });
        }
        if op.apply(page).is_err() {
            self.bad = Some(latched.page);
        }
        op.encode(slot.0, &mut self.ops);
    }

    fn undo(&mut self) {
        while let Some(at) = self.undo.len().checked_sub(UNDO) {
            let slot = usize::from(self.undo[at]);
            let offset = usize::from(get_u16(&self.undo, at + 1));
            let len = usize::from(get_u16(&self.undo, at + 3));
            let Some(start) = at.checked_sub(len) else {
                break;
            };
            if let Some(page) = self.pages.get_mut(slot).and_then(|l| l.exclusive.as_mut())
                && offset + len <= PAGE_SIZE
            {
                page[offset..offset + len].copy_from_slice(&self.undo[start..at]);
            }
            self.undo.truncate(start);
        }
        self.forget_what_was_to_come();
    }

    /// Takes the frames from pages that will not exist, while they are latched: nobody
    /// else has changed them, and whoever starts the pool anew waits for the latch.
    fn forget_what_was_to_come(&self) {
        let Some(pool) = self.pool else {
            return;
        };
        for latched in self.pages.iter().filter(|l| l.to_come) {
            if let Some(frame) = latched.exclusive.as_ref().map(Exclusive::frame)
                && pool
                    .table
                    .unlink(pool.arena, latched.page.pack(), frame.index())
            {
                frame.flags.fetch_and(!(VALID | DIRTY), Ordering::SeqCst);
            }
        }
    }

    fn commit(&mut self) -> Result<Lsn, BufferError> {
        let pool = self.pool.ok_or(BufferError::NotRunning)?;
        if let Some(page) = self.bad {
            return Err(BufferError::Corrupt { page });
        }
        if self.kind == 0 && self.pages.iter().all(|p| p.how.is_none()) {
            return Ok(Lsn(0));
        }
        if pool.generation.load(Ordering::SeqCst) != self.generation {
            return Err(BufferError::Stopped);
        }
        // A page that stopped existing meanwhile must not be changed in the log:
        // it may exist again there.
        let gone = |p: &&Latched| {
            let frame = p.exclusive.as_ref().map(Exclusive::frame);
            frame.is_none_or(|f| f.tag.load(Ordering::SeqCst) != p.page.pack())
        };
        if let Some(latched) = self.changed().find(gone) {
            let page = latched.page;
            return Err(BufferError::NoSuchPage { page });
        }
        // Before appending: a checkpoint that begins after the record must find
        // the pages dirty.
        let position = pg_wal_port::insert_position().0;
        for frame in self
            .changed()
            .filter_map(|p| Some(p.exclusive.as_ref()?.frame()))
        {
            if frame.flags.load(Ordering::Relaxed) & DIRTY == 0 {
                frame.word.store(position, Ordering::SeqCst);
                frame.flags.fetch_or(DIRTY, Ordering::SeqCst);
            }
        }
        let mut record = core::mem::take(&mut self.record);
        let end = pg_wal_port::append(&mut record, |record, redo| self.build(record, redo));
        self.record = record;
        let end = end?;
        // It is in the log: nothing is undone from here on.
        self.undo.clear();
        for latched in &mut self.pages {
            latched.to_come = false;
            if let (Some(_), Some(page)) = (latched.how, &mut latched.exclusive) {
                header::set_lsn(page, end.0);
            }
        }
        pool.logged.wake_one();
        Ok(end)
    }

    fn changed(&self) -> impl Iterator<Item = &Latched> {
        self.pages.iter().filter(|p| p.how.is_some())
    }

    /// Builds the record for a log whose recovery would start at `redo`.
    fn build(&self, record: &mut Builder, redo: Lsn) -> Result<(), WalError> {
        let count = self.changed().count() as u16;
        record.start(self.xid, self.kind, count);
        let body = record.body();
        body.reserve(self.ops.len() + usize::from(count) * 16 + 16);
        let mut images = 0u32;
        for (tag, latched) in (0u8..).zip(&self.pages) {
            let (Some(mut how), Some(page)) = (latched.how, &latched.exclusive) else {
                continue;
            };
            if how == How::Change && header::lsn(page) <= redo.0 {
                how = How::Image;
                images |= 1 << tag;
            }
            let page = latched.page;
            Block { page, how, tag }.encode(body);
        }
        if images == 0 {
            body.extend_from_slice(&self.ops);
        } else {
            self.encode_images(images, body);
        }
        record.finish().map_err(|_| WalError::TooLarge)
    }

    #[cold]
    fn encode_images(&self, images: u32, body: &mut Vec<u8>) {
        for (tag, latched) in (0u8..).zip(&self.pages) {
            if let (true, Some(page)) = (images & 1 << tag != 0, &latched.exclusive) {
                encode_image(page, body);
            }
        }
        let mut rest = &self.ops[..];
        while let Ok((tag, _, after)) = Op::decode(rest) {
            if images & 1 << tag == 0 {
                body.extend_from_slice(&rest[..rest.len() - after.len()]);
            }
            rest = after;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Drop for MiniTx {
    fn drop(&mut self) {
        let Some(mut inner) = self.0.take().map(Held::into_box) else {
            return;
        };
        inner.undo();
        inner.pages.clear();
        inner.ops.clear();
        inner.kind = 0;
        inner.bad = None;
        let size = inner.ops.capacity() + inner.undo.capacity() + inner.record.capacity();
        if let (Some(pool), true) = (inner.pool, size <= KEEP) {
            let mut kept = pool.memory[cpu::id() % MEMORIES].lock();
            if kept.len() < KEPT {
                kept.push(inner);
            }
        }
    }
}

const _: () = assert!(MAX_PAGES <= 32, "images are noted in a u32");
