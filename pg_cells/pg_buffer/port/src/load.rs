//! Bringing a page into memory.

use crate::pool::{ONCE, PoolState, VALID};
use crate::write::{Latched, write_out};
use crate::{BUFFER, BufferError, FileId, PageId, Place};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::{Exclusive, Frame, Pin, ReadGuard};
use nvme_port::{DiskError, Op, Transfer, Urgency};
use pg_page::header;
use task_port::Held;

/// How often to ask again for a frame when all are in use.
const PATIENCE: u32 = 2_000;

/// Pins the frame of a page: the one that holds it, or one to load it into. A page
/// that is read `once` does not count as used by that. Writes changed pages out
/// until there is a frame.
pub(crate) fn place(pool: &'static PoolState, tag: u64, once: bool) -> Result<Pin, BufferError> {
    for attempt in 0..PATIENCE {
        let step = BUFFER.enter()?.place(tag, once)?;
        match step {
            Place::Pinned(pin) => {
                pool.stirred.wake_one();
                return Ok(pin);
            }
            Place::WriteOut(pins) => {
                write_out(pool, pins, Urgency::Normal, Latched::Skip)?;
            }
            Place::Busy => {}
        }
        match attempt {
            0 => {}
            1..100 => task_port::yield_now(),
            _ => task_port::sleep(500_000),
        }
    }
    Err(BufferError::OutOfMemory)
}

/// A frame that is being filled. Dropped in this order: the device is done
/// before the latch is given back.
struct Loading {
    transfer: Option<Transfer>,
    exclusive: Exclusive,
}

/// Reads the page into its frame unless somebody else has. The frame may hold
/// nothing afterwards: the caller looks again. For who reads pages `once` the
/// frame is marked so.
pub(crate) fn load(pool: &PoolState, pin: Pin, id: PageId, once: bool) -> Result<(), BufferError> {
    let exclusive = pin.exclusive();
    let frame = exclusive.frame();
    let loaded = frame.flags.load(Ordering::SeqCst) & VALID != 0;
    if loaded || frame.tag.load(Ordering::SeqCst) != id.pack() {
        return Ok(());
    }
    // The place is looked up after the frame was entered in the table: who drops
    // the file looks there after taking the place away.
    let Some(offset) = pool.locate(id) else {
        pool.table.unlink(pool.arena, id.pack(), frame.index());
        return pool.if_open(Err(BufferError::NoSuchPage { page: id }));
    };
    let data = Some(frame.dma());
    let open = pool.open.load(Ordering::SeqCst);
    let mut loading = Held::new(Loading {
        transfer: None,
        exclusive,
    });
    let transfer = Transfer::start(Urgency::Normal, alloc::vec![(Op::Read, offset, data)]);
    let transfer = transfer.map_err(|error| disk_error(error, id))?;
    let outcome = loading.transfer.insert(transfer).wait();
    outcome.map_err(|error| disk_error(error, id))?;
    pool.counters.reads.fetch_add(1, Ordering::Relaxed);
    if open && !pool.open.load(Ordering::SeqCst) {
        // The disk may have lost a newer version meanwhile.
        return Err(BufferError::Stopped);
    }
    if loading.exclusive.frame().tag.load(Ordering::SeqCst) != id.pack() {
        // The page stopped existing while it was read: another one's bytes may
        // have been in its place already.
        return Ok(());
    }
    if !is_intact(&loading.exclusive, id) {
        pool.counters.corrupt.fetch_add(1, Ordering::Relaxed);
        return Err(BufferError::Corrupt { page: id });
    }
    let flags = &loading.exclusive.frame().flags;
    flags.fetch_or(valid(once), Ordering::SeqCst);
    Ok(())
}

/// The flags of a page that was just read.
fn valid(once: bool) -> u32 {
    match once {
        true => VALID | ONCE,
        false => VALID,
    }
}

/// Whether what was read is what was written. The space map starts as zeros,
/// without checksums.
pub(crate) fn is_intact(page: &pg_page::Page, id: PageId) -> bool {
    header::is_intact(page, id.pack())
        || (id.file == FileId::SPACE_MAP && page.iter().all(|b| *b == 0))
}

pub(crate) fn disk_error(error: DiskError, page: PageId) -> BufferError {
    match error {
        DiskError::NotRunning => BufferError::NotRunning,
        DiskError::Lost => BufferError::Stopped,
        DiskError::Io | DiskError::BadRequest => BufferError::Io { page },
    }
}

/// The page's frame, pinned: the one that seems to hold it, or one to load it
/// into.
fn pinned(pool: &'static PoolState, id: PageId, once: bool) -> Result<Pin, BufferError> {
    let tag = id.pack();
    let pin = |index| match once {
        true => pool.arena.pin_quietly(index, tag),
        false => pool.arena.pin(index, tag),
    };
    match pool.table.look(pool.arena, tag).and_then(pin) {
        Some(pin) => Ok(pin),
        None => {
            exists(pool, id)?;
            place(pool, tag, once)
        }
    }
}

/// Counts a page that is in memory when it is looked at for the first time.
struct Hit(Option<&'static PoolState>);

impl Hit {
    fn is(&mut self, frame: &Frame) -> bool {
        let valid = frame.flags.load(Ordering::SeqCst) & VALID != 0;
        if let (Some(pool), true) = (self.0.take(), valid) {
            pool.counters.hit();
        }
        valid
    }
}

/// Latches a page exclusively, loaded; for who reads pages `once`, or for others. For
/// pages that exist.
pub(crate) fn exclusive(
    pool: &'static PoolState,
    id: PageId,
    once: bool,
) -> Result<Exclusive, BufferError> {
    let tag = id.pack();
    if !once
        && let Some(index) = pool.table.look(pool.arena, tag)
        && let Some(exclusive) = pool.arena.try_exclusive(index, tag)
        && exclusive.frame().flags.load(Ordering::SeqCst) & VALID != 0
    {
        pool.counters.hit();
        return Ok(exclusive);
    }
    let mut hit = Hit(Some(pool));
    loop {
        let exclusive = pinned(pool, id, once)?.exclusive();
        let frame = exclusive.frame();
        if frame.tag.load(Ordering::SeqCst) != tag {
            continue;
        }
        if hit.is(frame) {
            return Ok(exclusive);
        }
        load(pool, exclusive.unlatch(), id, once)?;
    }
}

/// An error for a page that does not exist: before a frame is used for it.
fn exists(pool: &PoolState, id: PageId) -> Result<(), BufferError> {
    match pool.locate(id) {
        Some(_) => Ok(()),
        // A pool that is being started anew does not know yet.
        None => pool.if_open(Err(BufferError::NoSuchPage { page: id })),
    }
}

/// The same if nobody else has it latched.
pub(crate) fn try_exclusive(
    pool: &'static PoolState,
    id: PageId,
) -> Result<Option<Exclusive>, BufferError> {
    let mut hit = Hit(Some(pool));
    loop {
        let Ok(exclusive) = pinned(pool, id, false)?.try_exclusive() else {
            return Ok(None);
        };
        let frame = exclusive.frame();
        if frame.tag.load(Ordering::SeqCst) != id.pack() {
            continue;
        }
        if hit.is(frame) {
            return Ok(Some(exclusive));
        }
        load(pool, exclusive.unlatch(), id, false)?;
    }
}

/// Latches a page for reading, loaded; for who reads pages `once`, or for others.
pub(crate) fn read(
    pool: &'static PoolState,
    id: PageId,
    once: bool,
) -> Result<ReadGuard, BufferError> {
    let mut hit = Hit(Some(pool));
    loop {
        let guard = pinned(pool, id, once)?.read();
        let frame = guard.frame();
        if frame.tag.load(Ordering::SeqCst) != id.pack() {
            continue;
        }
        if hit.is(frame) {
            return Ok(guard);
        }
        load(pool, guard.unlatch(), id, once)?;
    }
}

/// Latches the frame of a page exclusively without reading it: all zero.
pub(crate) fn blank(pool: &'static PoolState, id: PageId) -> Result<Exclusive, BufferError> {
    loop {
        let mut exclusive = place(pool, id.pack(), false)?.exclusive();
        if exclusive.frame().tag.load(Ordering::SeqCst) == id.pack() {
            exclusive.fill(0);
            exclusive.frame().flags.fetch_or(VALID, Ordering::SeqCst);
            return Ok(exclusive);
        }
    }
}

/// Pages that are being read together, before somebody waits for them.
pub(crate) struct ReadingAhead(Held<Reading>);

/// Frames that are being filled together. Dropped in this order: the device is
/// done before the latches are given back.
struct Reading {
    transfer: Option<Transfer>,
    frames: Vec<(PageId, Exclusive, bool)>,
}

/// Begins to read pages that are wanted soon, each with whether it is read once,
/// as one submission. Leaves those alone that somebody else deals with.
pub(crate) fn read_ahead(
    pool: &'static PoolState,
    pages: &[(PageId, bool)],
) -> Result<ReadingAhead, BufferError> {
    let mut parts = Vec::new();
    let mut reading = Held::new(Reading {
        transfer: None,
        frames: Vec::with_capacity(pages.len()),
    });
    for (page, once) in pages {
        let there = pool.table.look(pool.arena, page.pack()).is_some();
        if there || pool.locate(*page).is_none() {
            continue;
        }
        let Ok(exclusive) = place(pool, page.pack(), *once)?.try_exclusive() else {
            continue;
        };
        let frame = exclusive.frame();
        let wanted = frame.tag.load(Ordering::SeqCst) == page.pack()
            && frame.flags.load(Ordering::SeqCst) & VALID == 0;
        // Looked up again behind the entry in the table, as in `load`.
        if let (true, Some(offset)) = (wanted, pool.locate(*page)) {
            parts.push((Op::Read, offset, Some(frame.dma())));
            reading.frames.push((*page, exclusive, *once));
        }
    }
    let transfer = Transfer::start(Urgency::Background, parts);
    let transfer = transfer.map_err(|error| disk_error(error, PageId::unpack(0)))?;
    reading.transfer = Some(transfer);
    Ok(ReadingAhead(reading))
}

impl ReadingAhead {
    /// Waits for the device and lets the pages be read.
    pub(crate) fn finish(self, pool: &'static PoolState) -> Result<(), BufferError> {
        let Some(transfer) = &self.0.transfer else {
            return Ok(());
        };
        let outcome = transfer.wait();
        outcome.map_err(|error| disk_error(error, PageId::unpack(0)))?;
        if !pool.open.load(Ordering::SeqCst) {
            // As in `load`.
            return Err(BufferError::Stopped);
        }
        for (page, exclusive, once) in &self.0.frames {
            let same = exclusive.frame().tag.load(Ordering::SeqCst) == page.pack();
            // A damaged page is left to who really reads it.
            if same && is_intact(exclusive, *page) {
                let flags = &exclusive.frame().flags;
                flags.fetch_or(valid(*once), Ordering::SeqCst);
                pool.counters.reads.fetch_add(1, Ordering::Relaxed);
                pool.counters.read_ahead.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
