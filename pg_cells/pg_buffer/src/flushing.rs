//! Which changed pages to write.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::{NO_TAG, Pin};
use pg_buffer_port::{DIRTY, Lsn, PageId, PoolState, WRITING};

/// The frames with changes before `lsn`, in the order of their places on the
/// disk.
pub(crate) fn dirty_before(pool: &PoolState, lsn: Lsn) -> Vec<(u32, u64)> {
    let mut plan: Vec<(u64, u32, u64)> = Vec::new();
    for frame in pool.arena.frames() {
        let tag = frame.tag.load(Ordering::SeqCst);
        let dirty = frame.flags.load(Ordering::SeqCst) & DIRTY != 0;
        if tag != NO_TAG && dirty && frame.word.load(Ordering::SeqCst) < lsn.0 {
            plan.push((0, frame.index(), tag));
        }
    }
    for (place, _, tag) in &mut plan {
        let page = PageId::unpack(*tag);
        *place = pool.space.lock().locate(page).unwrap_or(u64::MAX);
    }
    plan.sort_unstable();
    plan.into_iter()
        .map(|(_, index, tag)| (index, tag))
        .collect()
}

/// Changed pages in front of the clock's hand that would be given up on its next
/// visit. Looks only where it has not looked before: a page that was in use then is
/// not given up on that visit either, and one that comes into use afterwards has
/// been used.
pub(crate) fn ahead(pool: &PoolState, count: usize) -> Vec<Pin> {
    let frames = pool.arena.frames();
    let hand = pool.hand.load(Ordering::Relaxed);
    let reach = (frames.len() / 4) as u32;
    // Both count on for ever: their difference is what means something.
    let looked = pool.looked.load(Ordering::Relaxed).wrapping_sub(hand);
    let from = if looked <= reach { looked } else { 0 };
    let mut pins = Vec::new();
    let mut step = from;
    while step < reach && pins.len() < count {
        let at = hand.wrapping_add(step) as usize % frames.len();
        let frame = &frames[at];
        let flags = frame.flags.load(Ordering::SeqCst);
        let tag = frame.tag.load(Ordering::SeqCst);
        if flags & (DIRTY | WRITING) == DIRTY && tag != NO_TAG && frame.is_idle() {
            pins.extend(pool.arena.pin_quietly(frame.index(), tag));
        }
        step += 1;
    }
    pool.looked
        .store(hand.wrapping_add(step), Ordering::Relaxed);
    pins
}
