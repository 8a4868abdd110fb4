//! The commit log and the control page, on disk.
//!
//! ```text
//! control file, page 0        24: magic u64 | 32: ids below this are reserved, u64
//!                             40: the commit log's first page, u64 (0 but for disks
//!                                 whose ids were told to begin later)
//! commit log, every page      24: two bits an id, low bits first: 1 = committed
//! ```
//! A commit log page holds `ENTRIES` ids, from id `(first + block) * ENTRIES` on. There is
//! no entry for an abort: an id that does not run and is not marked committed is
//! aborted. Ids are reserved in batches, and the pages for them are made in the
//! same mini-transaction, so a commit never makes a page; after a crash the
//! rest of a batch is skipped. The reservation need not be flushed: whatever an
//! id does is later in the log.
//!
//! Latch order: the control page, then commit log pages upwards. While they are
//! latched the transaction manager may be entered (its calls never wait for a
//! page), but nothing else may be waited for.

use crate::{TxnError, Xid, XidStatus};
use core::sync::atomic::{AtomicU64, Ordering};
use pg_buffer_port::{BufferError, FileId, Fork, MiniTx, PageId, Slot};
use pg_page::{HEADER_SIZE, PAGE_SIZE, get_u64, header};

/// The file of the control page.
pub const CONTROL_FILE: FileId = FileId::new(2, Fork::Main);
/// The file of the commit log.
pub const COMMIT_LOG_FILE: FileId = FileId::new(3, Fork::Main);
/// The page kind of the control page.
pub const CONTROL_KIND: u8 = 19;
/// The page kind of commit log pages.
pub const COMMIT_LOG_KIND: u8 = 18;
/// Ids whose entries fit a page.
pub const ENTRIES: u64 = ((PAGE_SIZE - HEADER_SIZE) * 4) as u64;
/// How many ids are reserved at a time.
pub const BATCH: u64 = 8192;

const MAGIC: u64 = u64::from_le_bytes(*b"mitosxid");
const MAGIC_AT: usize = HEADER_SIZE;
const RESERVED_AT: usize = HEADER_SIZE + 8;
const FIRST_AT: usize = HEADER_SIZE + 16;

/// The number of the commit log's first page, as the control page says.
static FIRST: AtomicU64 = AtomicU64::new(0);
const COMMITTED: u8 = 1;

const CONTROL_PAGE: PageId = PageId {
    file: CONTROL_FILE,
    block: 0,
};

struct Place {
    block: u32,
    offset: usize,
    shift: u32,
}

fn place(xid: Xid) -> Place {
    let entry = xid.0 % ENTRIES;
    // Ids before the first page are on none: not committed.
    let block = (xid.0 / ENTRIES).wrapping_sub(FIRST.load(Ordering::Relaxed));
    Place {
        block: u32::try_from(block).unwrap_or(u32::MAX),
        offset: HEADER_SIZE + (entry / 4) as usize,
        shift: (entry % 4) as u32 * 2,
    }
}

fn page(block: u32) -> PageId {
    PageId {
        file: COMMIT_LOG_FILE,
        block,
    }
}

/// What the log says of an id that does not run. May block for the page.
///
/// # Errors
/// When the page cannot be read.
pub fn read(xid: Xid) -> Result<XidStatus, TxnError> {
    let place = place(xid);
    let page = match pg_buffer_port::read_page(page(place.block)) {
        Ok(page) => page,
        Err(BufferError::NoSuchPage { .. }) => return Ok(XidStatus::Aborted),
        Err(error) => return Err(error.into()),
    };
    let bits = (page[place.offset] >> place.shift) & 3;
    Ok(if bits == COMMITTED {
        XidStatus::Committed
    } else {
        XidStatus::Aborted
    })
}

/// Marks ids, ascending, as committed, as part of `mtx`.
///
/// # Errors
/// When a page cannot be had.
pub(crate) fn mark_committed(mtx: &mut MiniTx, xids: &[Xid]) -> Result<(), TxnError> {
    let mut at = 0;
    while let Some(first) = xids.get(at) {
        let block = place(*first).block;
        let slot = mtx.latch(page(block))?;
        set_up(mtx, slot, COMMIT_LOG_KIND);
        while let Some(place) = xids.get(at).map(|x| place(*x)) {
            if place.block != block {
                break;
            }
            let byte = mtx.page(slot)[place.offset] | COMMITTED << place.shift;
            mtx.write(slot, place.offset, &[byte]);
            at += 1;
        }
    }
    Ok(())
}

/// Reserves the ids below `limit` and makes the commit log's pages for them.
///
/// # Errors
/// When a page cannot be had, for instance because the disk is full.
pub(crate) fn reserve(limit: Xid) -> Result<(), TxnError> {
    let mut mtx = MiniTx::begin(0);
    let control = mtx.latch(CONTROL_PAGE)?;
    if get_u64(mtx.page(control), RESERVED_AT) < limit.0 {
        mtx.write(control, RESERVED_AT, &limit.0.to_le_bytes());
        make_pages(&mut mtx, limit)?;
    }
    mtx.commit()?;
    Ok(())
}

fn make_pages(mtx: &mut MiniTx, limit: Xid) -> Result<(), TxnError> {
    let last = place(Xid(limit.0.saturating_sub(1))).block;
    while pg_buffer_port::blocks(COMMIT_LOG_FILE)? <= last {
        let (slot, _) = mtx.extend(COMMIT_LOG_FILE)?;
        set_up(mtx, slot, COMMIT_LOG_KIND);
    }
    Ok(())
}

/// Sets up a page that is all zero still: fresh, or left by a power cut between
/// the growing of its file and its first change.
fn set_up(mtx: &mut MiniTx, slot: Slot, kind: u8) {
    if header::kind(mtx.page(slot)) == 0 {
        mtx.init(slot, kind, 0);
    }
}

/// The first id that is free for use after a start. Makes the two files when the
/// disk is new; its ids begin with `first` then.
///
/// # Errors
/// When a page cannot be read or made, or the control page is not one.
pub fn open(first: Xid) -> Result<Xid, TxnError> {
    match pg_buffer_port::read_page(CONTROL_PAGE) {
        Ok(page) if get_u64(&page[..], MAGIC_AT) == MAGIC => {
            FIRST.store(get_u64(&page[..], FIRST_AT), Ordering::Relaxed);
            return Ok(Xid(get_u64(&page[..], RESERVED_AT)));
        }
        Ok(page) if header::kind(&page) != 0 => {
            return Err(BufferError::Corrupt { page: CONTROL_PAGE }.into());
        }
        Ok(_) | Err(BufferError::NoSuchPage { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    create(first)
}

/// Makes the files, or goes on with what a power cut has left of making them.
fn create(first: Xid) -> Result<Xid, TxnError> {
    let page = first.0 / ENTRIES;
    FIRST.store(page, Ordering::Relaxed);
    let mut mtx = MiniTx::begin(0);
    for file in [CONTROL_FILE, COMMIT_LOG_FILE] {
        match pg_buffer_port::create_file(&mut mtx, file) {
            Ok(()) | Err(BufferError::FileExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let control = if pg_buffer_port::blocks(CONTROL_FILE)? == 0 {
        mtx.extend(CONTROL_FILE)?.0
    } else {
        mtx.latch(CONTROL_PAGE)?
    };
    mtx.init(control, CONTROL_KIND, 0);
    mtx.write(control, MAGIC_AT, &MAGIC.to_le_bytes());
    mtx.write(control, RESERVED_AT, &first.0.to_le_bytes());
    mtx.write(control, FIRST_AT, &page.to_le_bytes());
    mtx.commit()?;
    Ok(first)
}
