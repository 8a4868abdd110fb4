//! Writing changed pages out.
//!
//! A page is copied under its share latch, sealed with its checksum in the copy,
//! and written from there, so the page can be changed again meanwhile. The frame
//! stays pinned until the device is done: it would be read from the disk too
//! early otherwise. One write of a frame at a time (`WRITING`): the device may
//! reorder two.

use crate::load::disk_error;
use crate::pool::{DIRTY, PoolState, WRITING};
use crate::{BufferError, PageId};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::{IoBuffer, KeptPin, NO_TAG, Pin};
use nvme_port::{Op, Part, Transfer, Urgency};
use pg_page::{PAGE_SIZE, Page, header};
use pg_wal_port::Lsn;
use task_port::Held;

/// Pages written with one submission.
pub(crate) const BATCH: usize = 32;
/// How many buffers for a batch are kept.
const KEPT: usize = 8;

/// A page on its way: its pin, and the frame's word when it was copied.
struct Going {
    pin: KeptPin,
    word: u64,
}

/// Pages on their way to the disk. Dropping it waits for the device; pages are
/// dirty again unless `ok`.
struct WriteBatch {
    transfer: Option<Transfer>,
    buffer: Option<IoBuffer>,
    pool: &'static PoolState,
    pages: Vec<Going>,
    ok: bool,
}

impl Drop for WriteBatch {
    fn drop(&mut self) {
        drop(self.transfer.take());
        for page in &self.pages {
            let frame = page.pin.frame();
            if !self.ok {
                frame.word.fetch_min(page.word, Ordering::SeqCst);
                frame.flags.fetch_or(DIRTY, Ordering::SeqCst);
            }
            frame.flags.fetch_and(!WRITING, Ordering::SeqCst);
        }
        self.pages.clear();
        self.pool.written.wake_all();
        if let Some(buffer) = self.buffer.take() {
            let mut kept = self.pool.buffers.lock();
            if kept.len() < KEPT {
                kept.push(buffer);
            }
        }
    }
}

/// Memory for a batch: kept from an earlier one, or new; smaller when memory is
/// scattered.
fn take_buffer(pool: &PoolState) -> Result<IoBuffer, BufferError> {
    let kept = {
        let mut buffers = pool.buffers.lock();
        let back = buffers.iter_mut().position(|b| b.bytes().is_some());
        back.map(|at| buffers.swap_remove(at))
    };
    match kept {
        Some(buffer) => Ok(buffer),
        None => Ok(IoBuffer::new(BATCH * PAGE_SIZE).or_else(|_| IoBuffer::new(PAGE_SIZE))?),
    }
}

/// What to do about a page that somebody has latched exclusively.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Latched {
    /// Wait, for the first page of a batch. The caller holds no latch.
    Wait,
    /// Leave it. The caller may hold what the other one waits for.
    Skip,
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Written {
    /// Pages.
    pub(crate) pages: u64,
    /// Requests to the device.
    pub(crate) requests: u64,
}

impl core::ops::AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        self.pages += other.pages;
        self.requests += other.requests;
    }
}

impl Written {
    fn count(&self, pool: &PoolState) {
        let counters = &pool.counters;
        counters.writes.fetch_add(self.pages, Ordering::Relaxed);
        counters
            .write_requests
            .fetch_add(self.requests, Ordering::Relaxed);
    }
}

/// Writes the pages of up to [`BATCH`] frames that are dirty and not being
/// written already, in the order of their places; neighbours go with one request.
/// The log is made durable up to their last change first.
pub(crate) fn write_out(
    pool: &'static PoolState,
    mut pins: Vec<Pin>,
    urgency: Urgency,
    latched: Latched,
) -> Result<Written, BufferError> {
    pins.sort_by_cached_key(|pin| {
        let tag = pin.frame().tag.load(Ordering::SeqCst);
        pool.locate(PageId::unpack(tag)).unwrap_or(u64::MAX)
    });
    // During recovery the log is being read, and durable.
    let logged = pool.open.load(Ordering::SeqCst);
    let mut batch = Held::new(WriteBatch {
        transfer: None,
        buffer: Some(take_buffer(pool)?),
        pool,
        pages: Vec::with_capacity(pins.len()),
        ok: false,
    });
    let mut offsets = Vec::with_capacity(pins.len());
    let mut lsn = Lsn(0);
    let mut first = PageId::unpack(0);
    for pin in pins.into_iter().take(BATCH) {
        let at = batch.pages.len() * PAGE_SIZE;
        let batch = &mut *batch;
        let bytes = batch.buffer.as_mut().and_then(IoBuffer::bytes);
        let Some(copy) = bytes.and_then(|b| b.get_mut(at..)?.first_chunk_mut()) else {
            break;
        };
        // Who marks pages as being written waits for nobody: the holder of the
        // next page's latch may wait for who waits for the mark to go.
        let latched = match at {
            0 => latched,
            _ => Latched::Skip,
        };
        if let Some((going, offset)) = copy_page(pool, pin, copy, latched, logged) {
            lsn = lsn.max(Lsn(header::lsn(copy)));
            first = PageId::unpack(going.pin.frame().tag.load(Ordering::SeqCst));
            batch.pages.push(going);
            offsets.push(offset);
        }
    }
    if offsets.is_empty() {
        return Ok(Written::default());
    }
    if logged {
        pg_wal_port::flush(lsn)?;
    }
    let buffer = batch.buffer.as_ref();
    let mut at = 0;
    let parts: Vec<Part> = runs(&offsets)
        .map(|run| {
            let len = run.len() * PAGE_SIZE;
            let data = buffer.and_then(|b| b.slice(at, len));
            at += len;
            (Op::Write, run[0], data)
        })
        .collect();
    let written = Written {
        pages: offsets.len() as u64,
        requests: parts.len() as u64,
    };
    let transfer = Transfer::start(urgency, parts).map_err(|e| disk_error(e, first))?;
    let outcome = batch.transfer.insert(transfer).wait();
    outcome.map_err(|e| disk_error(e, first))?;
    batch.ok = true;
    written.count(pool);
    Ok(written)
}

/// The pieces of `offsets` in which each page lies behind the one before.
fn runs(offsets: &[u64]) -> impl Iterator<Item = &[u64]> {
    offsets.chunk_by(|a, b| a.checked_add(PAGE_SIZE as u64) == Some(*b))
}

/// Copies the page if it is dirty, and marks it as being written.
fn copy_page(
    pool: &PoolState,
    pin: Pin,
    copy: &mut Page,
    latched: Latched,
    open: bool,
) -> Option<(Going, u64)> {
    let guard = match latched {
        Latched::Wait => pin.read(),
        Latched::Skip => pin.try_read().ok()?,
    };
    let frame = guard.frame();
    let tag = frame.tag.load(Ordering::SeqCst);
    let step = |flags: u32| {
        (tag != NO_TAG && flags & (DIRTY | WRITING) == DIRTY).then_some((flags & !DIRTY) | WRITING)
    };
    frame
        .flags
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step)
        .ok()?;
    let word = frame.word.load(Ordering::SeqCst);
    if header::lsn(&guard) <= word {
        // Nothing was logged since it became dirty: the change that made it so
        // was undone. Only hints are new, and a write for them alone, torn by a
        // power cut, would leave a page that the log does not have.
        frame.flags.fetch_and(!WRITING, Ordering::SeqCst);
        pool.written.wake_all();
        return None;
    }
    // Looked up after marking: who drops the file takes the place away first and
    // looks at the mark then.
    let Some(offset) = pool.locate(PageId::unpack(tag)) else {
        // While the file is being cut: its frames are discarded next, or the
        // page exists again if that fails. In recovery nobody discards them.
        let dirty = if open { DIRTY } else { 0 };
        frame.flags.fetch_or(dirty, Ordering::SeqCst);
        frame.flags.fetch_and(!WRITING, Ordering::SeqCst);
        pool.written.wake_all();
        return None;
    };
    copy.copy_from_slice(&*guard);
    header::seal(copy, tag);
    let pin = guard.unlatch().keep();
    Some((Going { pin, word }, offset))
}
