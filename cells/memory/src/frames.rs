//! The system's frames: one buddy allocator behind a lock.

use crate::buddy::Buddy;
use crate::{OutOfMemory, PAGE_SIZE, Usage, WINDOW};
use core::sync::atomic::{AtomicU64, Ordering};
use sync::IrqLock;

static FRAMES: IrqLock<Option<Buddy>> = IrqLock::new(None);
static TOTAL: AtomicU64 = AtomicU64::new(0);
/// What was taken before anyone asked: boot image, archive, the allocator's state.
static RESERVED: AtomicU64 = AtomicU64::new(0);
static IN_USE: [AtomicU64; OWNERS] = [const { AtomicU64::new(0) }; OWNERS];

/// What frames are used for. Whoever takes some says so, for reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// Slabs and large objects of the heap.
    Heap,
    /// [`crate::MappedPages`].
    Pages,
    /// Page tables.
    Tables,
    /// Rings and buffers that devices reach.
    Device,
    /// Frames of a pool: [`crate::DmaRegion::allocate_for_pool`].
    Pool,
}
const OWNERS: usize = 5;

/// Sets the allocator up for memory below `limit` bytes, and gives it the usable
/// pieces less the reserved ones. Both are `(first byte, end)` in physical
/// addresses.
///
/// # Safety
/// Called once; the window maps all of it; nobody uses the usable memory outside
/// the reserved pieces.
///
/// # Errors
/// When there is no room for the allocator's own state.
pub unsafe fn init(
    usable: &[(u64, u64)],
    reserved: &[(u64, u64)],
    limit: u64,
) -> Result<(), OutOfMemory> {
    let page = PAGE_SIZE as u64;
    let limit = limit / page;
    let (states, states_end) = place_states(usable, reserved, limit).ok_or(OutOfMemory)?;
    // SAFETY: place_states found free memory for `limit` bytes; the window maps it.
    let mut buddy = unsafe { Buddy::new((WINDOW + states) as *mut u8, limit, WINDOW as *mut u8) };
    let mut total = 0;
    for (start, end) in usable {
        let (mut at, end) = (start.next_multiple_of(page), end / page * page);
        total += end.saturating_sub(at);
        while at < end {
            let blocks = reserved.iter().copied().chain([(states, states_end)]);
            // Up to the next reserved piece, then behind it.
            let next = blocks.filter(|(_, e)| *e > at).min_by_key(|(s, _)| *s);
            let stop = next.map_or(end, |(s, _)| (s / page * page).clamp(at, end));
            // SAFETY: [at, stop) is usable and not reserved.
            unsafe { buddy.add(at / page, stop / page) };
            at = match next {
                Some((_, e)) if stop < end => e.next_multiple_of(page).max(stop),
                _ => end,
            };
        }
    }
    TOTAL.store(total, Ordering::Relaxed);
    let reserved = total - buddy.free_frames() * page;
    RESERVED.store(reserved, Ordering::Relaxed);
    *FRAMES.lock() = Some(buddy);
    Ok(())
}

/// Gives more memory to the allocator.
///
/// # Safety
/// The window maps the pieces, they lie below the limit, and nobody uses them.
pub unsafe fn add(pieces: &[(u64, u64)]) {
    let page = PAGE_SIZE as u64;
    if let Some(buddy) = FRAMES.lock().as_mut() {
        for (start, end) in pieces {
            let (first, end) = (start.div_ceil(page), end / page);
            if first < end {
                // SAFETY: the caller's promise.
                unsafe { buddy.add(first, end) };
                TOTAL.fetch_add((end - first) * page, Ordering::Relaxed);
            }
        }
    }
}

/// A free place for one byte per frame.
fn place_states(usable: &[(u64, u64)], reserved: &[(u64, u64)], frames: u64) -> Option<(u64, u64)> {
    let page = PAGE_SIZE as u64;
    for (start, end) in usable {
        let mut at = start.next_multiple_of(page).max(page);
        while at + frames <= *end {
            match reserved.iter().find(|(s, e)| at < *e && *s < at + frames) {
                Some((_, e)) => at = e.next_multiple_of(page),
                None => return Some((at, at + frames)),
            }
        }
    }
    None
}

/// Takes `count` contiguous frames and gives their physical address.
///
/// # Errors
/// When there is no such piece.
pub fn allocate(count: usize, owner: Owner) -> Result<u64, OutOfMemory> {
    let mut frames = FRAMES.lock_unless_mine().ok_or(OutOfMemory)?;
    let buddy = frames.as_mut().ok_or(OutOfMemory)?;
    let first = match count {
        1 => buddy.allocate(0),
        _ => buddy.allocate_exact(count as u64),
    };
    let first = first.ok_or(OutOfMemory)?;
    IN_USE[owner as usize].fetch_add((count * PAGE_SIZE) as u64, Ordering::Relaxed);
    Ok(first * PAGE_SIZE as u64)
}

/// One frame in so many is kept from large objects of the heap, so that who asks
/// for much fails alone: others go on with small objects and with what they have.
const RESERVE_ONE_IN: u64 = 32;

/// Bytes that large objects may still take.
#[must_use]
pub fn available() -> u64 {
    let free = FRAMES.lock().as_ref().map_or(0, Buddy::free_frames) * PAGE_SIZE as u64;
    free.saturating_sub(TOTAL.load(Ordering::Relaxed) / RESERVE_ONE_IN)
}

/// Whether a large object of `count` frames would take of the reserve.
pub(crate) fn is_short_of(count: usize) -> bool {
    (count * PAGE_SIZE) as u64 > available()
}

/// Gives `count` frames from physical address `start` back.
///
/// # Safety
/// They are from [`allocate`] for this owner and nobody uses them any more.
pub unsafe fn free(start: u64, count: usize, owner: Owner) {
    let first = start / PAGE_SIZE as u64;
    let end = first.saturating_add(count as u64);
    // SAFETY: the caller's promise.
    let add = |buddy: &mut Buddy| unsafe { buddy.add(first, end) };
    let mut frames = FRAMES.lock_unless_mine();
    let buddy = frames.as_mut().and_then(|frames| frames.as_mut());
    if buddy.is_some_and(add) {
        IN_USE[owner as usize].fetch_sub((count * PAGE_SIZE) as u64, Ordering::Relaxed);
    }
}

/// How memory is used now.
#[must_use]
pub fn usage() -> Usage {
    let (free, damage) = {
        let frames = FRAMES.lock();
        let buddy = frames.as_ref();
        buddy.map_or((0, 0), |b| (b.free_frames() * PAGE_SIZE as u64, b.damage()))
    };
    let used_by = |owner: Owner| IN_USE[owner as usize].load(Ordering::Relaxed);
    Usage {
        total: TOTAL.load(Ordering::Relaxed),
        free,
        heap: crate::heap::in_use(),
        heap_frames: used_by(Owner::Heap),
        mapped: used_by(Owner::Pages),
        tables: used_by(Owner::Tables),
        device: used_by(Owner::Device),
        pool: used_by(Owner::Pool),
        reserved: RESERVED.load(Ordering::Relaxed),
        damage: damage + crate::heap::damage(),
    }
}
