//! Files: making, growing, cutting and removing them.
//!
//! Each of these changes the space map with log records of its own, one caller
//! at a time (the space baton). Within it only pages of the map are latched, and
//! the page that is about to exist, so nobody who waits here holds up anybody
//! who waits for another page.

use crate::mini_tx::MiniTx;
use crate::pool::{PoolState, pool};
use crate::space::{Entry, entry_place};
use crate::{BUFFER, BufferError, FileId, PageId};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::Ordering;
use frame::Exclusive;
use task_port::Held;

/// The most entries changed by one log record when a file is cut.
const CUT_ENTRIES: usize = 256;
/// The most pages of the map changed by one log record.
const CUT_PAGES: usize = 16;

/// How many pages a file has.
///
/// # Errors
/// [`BufferError::NoSuchPage`] (of block 0) when there is no such file.
pub fn blocks(file: FileId) -> Result<u32, BufferError> {
    let pool = pool()?;
    let blocks = pool.space.lock().blocks(file);
    pool.if_open(blocks.ok_or(no_such(file)))
}

/// All files with their lengths in pages.
///
/// # Errors
/// When the pool is not running.
pub fn files() -> Result<Vec<(FileId, u32)>, BufferError> {
    let space = pool()?.space.lock();
    let files = space.files();
    Ok(files.map(|f| (f, space.blocks(f).unwrap_or(0))).collect())
}

fn no_such(file: FileId) -> BufferError {
    BufferError::NoSuchPage {
        page: PageId::new(file, 0),
    }
}

/// Makes an empty file. Takes effect at once with a log record of its own, and
/// is not undone with `mtx` (which gives the transaction's number): a file whose
/// owner never became known is found again by [`files`].
///
/// # Errors
/// [`BufferError::FileExists`], [`BufferError::DiskFull`] and what logging can
/// give.
pub fn create_file(mtx: &mut MiniTx, file: FileId) -> Result<(), BufferError> {
    let pool = pool()?;
    let _baton = pool.space_baton.take();
    if file == FileId::SPACE_MAP || pool.space.lock().blocks(file).is_some() {
        return Err(BufferError::FileExists { file });
    }
    let reserved = reserve(pool, None)?;
    let entry = Entry {
        file: file.0,
        index: 0,
        used: 0,
    };
    let generation = mtx.generation();
    let mut pending = Pending::begin(pool, generation, alloc::vec![(reserved.0, entry)]);
    write_entries(mtx.xid(), generation, &pending.entries)?;
    pending.finish()
}

/// An extent kept from others; given back when dropped unused.
struct Reserved(u32, &'static PoolState);

impl Drop for Reserved {
    fn drop(&mut self) {
        self.1.space.lock().unreserve(self.0);
    }
}

fn reserve(pool: &'static PoolState, near: Option<u32>) -> Result<Held<Reserved>, BufferError> {
    let extent = BUFFER.enter()?.choose_extent(near);
    let extent = extent.ok_or(BufferError::DiskFull)?;
    Ok(Held::new(Reserved(extent, pool)))
}

/// Entries of the space map that are being changed. However that ends, by an error or a
/// fault, memory follows the log: what it has is completed, what it does not have is
/// taken back. Held with the space baton, without which the pool is not started anew.
struct Pending {
    pool: &'static PoolState,
    generation: u64,
    entries: Vec<(u32, Entry)>,
    /// What stood there before, where memory has let go of it already.
    former: Vec<(u32, Entry)>,
    /// Pages that stop existing.
    gone: Option<(FileId, Range<u32>)>,
    logged: bool,
    over: bool,
}

impl Pending {
    fn begin(
        pool: &'static PoolState,
        generation: u64,
        entries: Vec<(u32, Entry)>,
    ) -> Held<Pending> {
        Held::new(Pending {
            pool,
            generation,
            entries,
            former: Vec::new(),
            gone: None,
            logged: false,
            over: false,
        })
    }

    /// The log has the new entries.
    fn finish(&mut self) -> Result<(), BufferError> {
        self.logged = true;
        self.settle()
    }

    fn settle(&mut self) -> Result<(), BufferError> {
        let settled = if self.logged {
            if let Some((file, range)) = &self.gone {
                let logged = pg_wal_port::insert_position().0;
                self.pool.freed.fetch_max(logged, Ordering::SeqCst);
                discard(self.pool, *file, range.clone());
            }
            set(self.pool, self.generation, &self.entries)
        } else {
            // Of another generation the map is another.
            set(self.pool, self.generation, &self.former)
        };
        self.over = true;
        settled
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.settle();
        }
    }
}

/// Notes entries of the space map, which the log has, unless the pool was started anew
/// since.
fn set(pool: &PoolState, generation: u64, entries: &[(u32, Entry)]) -> Result<(), BufferError> {
    // The map is replaced under this lock, after the generation has changed.
    let mut space = pool.space.lock();
    if pool.generation.load(Ordering::SeqCst) != generation {
        return Err(BufferError::Stopped);
    }
    entries.iter().for_each(|(e, entry)| space.set(*e, *entry));
    Ok(())
}

/// Logs new entries of the space map. The generation is that in which the map was
/// looked at.
fn write_entries(xid: u64, generation: u64, entries: &[(u32, Entry)]) -> Result<(), BufferError> {
    let mut mtx = MiniTx::begin_now(xid, Some(generation));
    for (extent, entry) in entries {
        let (page, at) = entry_place(*extent);
        let slot = mtx.latch(page)?;
        mtx.write(slot, at, &entry.encode());
    }
    mtx.commit()?;
    Ok(())
}

/// Adds a page to a file; the page is latched and zero.
pub(crate) fn extend(
    pool: &'static PoolState,
    xid: u64,
    generation: u64,
    file: FileId,
) -> Result<(PageId, Exclusive), BufferError> {
    let _baton = pool.space_baton.take();
    let (last, entry, pages) = {
        let space = pool.space.lock();
        let last = space.extents_of(file).last().copied();
        let last = pool.if_open(last.ok_or(no_such(file)))?;
        (last, space.entry(last), space.extent_pages)
    };
    let (reserved, next) = if entry.used < pages {
        let used = entry.used + 1;
        (None, Entry { used, ..entry })
    } else {
        let index = entry.index + 1;
        let next = Entry {
            index,
            used: 1,
            ..entry
        };
        (Some(reserve(pool, Some(last))?), next)
    };
    let extent = reserved.as_ref().map_or(last, |r| r.0);
    let block = next
        .index
        .checked_mul(pages)
        .and_then(|first| first.checked_add(next.used - 1))
        .ok_or(BufferError::DiskFull)?;
    let page = PageId::new(file, block);
    let mut pending = Pending::begin(pool, generation, alloc::vec![(extent, next)]);
    let mut mtx = MiniTx::begin_now(xid, Some(generation));
    let (map_page, at) = entry_place(extent);
    let map = mtx.latch(map_page)?;
    let fresh = mtx.latch_blank(page)?;
    mtx.write(map, at, &next.encode());
    let exclusive = mtx.commit_keeping(fresh)?;
    pending.finish()?;
    Ok((page, exclusive))
}

/// Cuts a file to `blocks` pages, at once like [`create_file`]. No error when it
/// is not longer, or there is no such file.
///
/// # Errors
/// What logging can give; the file may have been cut in part then.
pub fn truncate(mtx: &mut MiniTx, file: FileId, blocks: u32) -> Result<(), BufferError> {
    let pool = pool()?;
    let _baton = pool.space_baton.take();
    cut(pool, mtx, file, blocks, true)
}

/// Removes a file with all its pages, at once like [`create_file`]. Pages of it
/// that are still pinned stay readable for their holders. No error when there is
/// no such file.
///
/// # Errors
/// What logging can give; the file may have been cut in part then.
pub fn drop_file(mtx: &mut MiniTx, file: FileId) -> Result<(), BufferError> {
    let pool = pool()?;
    let _baton = pool.space_baton.take();
    cut(pool, mtx, file, 0, false)
}

/// Cuts from the end, in steps of one log record each. In each step the pages
/// stop existing, then the log knows, then no frame holds them and no write of
/// them is under way, and only then are their extents free.
fn cut(
    pool: &'static PoolState,
    mtx: &MiniTx,
    file: FileId,
    blocks: u32,
    keep_first: bool,
) -> Result<(), BufferError> {
    let (xid, generation) = (mtx.xid(), mtx.generation());
    loop {
        let mut pending = Pending::begin(pool, generation, Vec::new());
        {
            let mut space = pool.space.lock();
            if pool.generation.load(Ordering::SeqCst) != generation {
                return Err(BufferError::Stopped);
            }
            let Some(length) = space.blocks(file) else {
                return Ok(());
            };
            if keep_first && length <= blocks {
                return Ok(());
            }
            let pages = space.extent_pages;
            let changes = plan_cut(file, space.extents_of(file), pages, blocks, keep_first);
            pending.former = changes.iter().map(|(e, _)| (*e, space.entry(*e))).collect();
            let mut from = length;
            for ((extent, entry), (_, old)) in changes.iter().zip(&pending.former) {
                // The pages beyond the new end, which `locate` does not find now.
                space.set(
                    *extent,
                    Entry {
                        used: entry.used,
                        ..*old
                    },
                );
                from = from.min(old.index * pages + entry.used);
            }
            pending.entries = changes;
            pending.gone = Some((file, from..length));
        }
        write_entries(xid, generation, &pending.entries)?;
        pending.finish()?;
    }
}

/// The last extents of a file, with the entries they get.
fn plan_cut(
    file: FileId,
    extents: &[u32],
    pages: u32,
    blocks: u32,
    keep_first: bool,
) -> Vec<(u32, Entry)> {
    let keep = (blocks.div_ceil(pages) as usize).max(usize::from(keep_first));
    let mut changes: Vec<(u32, Entry)> = Vec::new();
    let mut map_pages: Vec<PageId> = Vec::new();
    for extent in extents[keep.min(extents.len())..].iter().rev() {
        let page = entry_place(*extent).0;
        if !map_pages.contains(&page) {
            map_pages.push(page);
        }
        if changes.len() >= CUT_ENTRIES || map_pages.len() > CUT_PAGES {
            return changes;
        }
        changes.push((*extent, Entry::default()));
    }
    // The last extent that stays, once all behind it are gone.
    if let Some(last) = keep.checked_sub(1).and_then(|at| extents.get(at)) {
        let index = keep as u32 - 1;
        let used = blocks - index * pages;
        changes.push((
            *last,
            Entry {
                file: file.0,
                index,
                used,
            },
        ));
    }
    changes
}

/// Takes the frames away from the pages `range` of a file.
fn discard(pool: &PoolState, file: FileId, range: Range<u32>) {
    let frames = pool.arena.frames();
    if range.len() < frames.len() {
        for block in range {
            let tag = PageId::new(file, block).pack();
            if let Some(frame) = pool.table.find(pool.arena, tag) {
                pool.discard(&frames[frame as usize], tag);
            }
        }
        return;
    }
    for frame in frames {
        let tag = frame.tag.load(Ordering::SeqCst);
        let page = PageId::unpack(tag);
        if page.file == file && range.contains(&page.block) {
            pool.discard(frame, tag);
        }
    }
}
