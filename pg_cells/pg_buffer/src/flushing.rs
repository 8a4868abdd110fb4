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
/// visit.
pub(crate) fn ahead(pool: &PoolState, count: usize) -> Vec<Pin> {
    let frames = pool.arena.frames();
    let hand = pool.hand.load(Ordering::Relaxed) as usize;
    let mut pins = Vec::new();
    for step in 0..frames.len() / 4 {
        if pins.len() >= count {
            break;
        }
        let frame = &frames[(hand + step) % frames.len()];
        let flags = frame.flags.load(Ordering::SeqCst);
        let tag = frame.tag.load(Ordering::SeqCst);
        if flags & (DIRTY | WRITING) == DIRTY && tag != NO_TAG && frame.is_idle() {
            pins.extend(pool.arena.pin_quietly(frame.index(), tag));
        }
    }
    pins
}
