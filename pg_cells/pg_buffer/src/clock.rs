//! Replacement: the clock with usage counts (as PostgreSQL's `freelist.c`
//! describes it).
//!
//! A frame is given up in this order: claimed (nobody can pin it), checked for
//! changes once more, taken out of the page table, entered for the new page,
//! pinned. Whoever looked it up before fails to pin it or finds another tag.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::{Frame, NO_TAG, Pin};
use pg_buffer_port::{DIRTY, Place, PoolState, WRITING};

/// How many dirty pages are written together when one is in the way.
const WRITE_TOGETHER: usize = 8;

pub(crate) fn place(pool: &PoolState, tag: u64) -> Place {
    if tag == NO_TAG {
        return Place::Busy;
    }
    if let Some(pin) = present(pool, tag) {
        return Place::Pinned(pin);
    }
    let frames = pool.arena.frames();
    let mut dirty: Vec<Pin> = Vec::new();
    // Usage counts reach 5: so many rounds find every frame that is not pinned.
    for _ in 0..frames.len() * 7 {
        let at = pool.hand.fetch_add(1, Ordering::Relaxed) as usize % frames.len();
        let frame = &frames[at];
        if !frame.visit() {
            continue;
        }
        if needs_writing(frame) {
            let tag = frame.tag.load(Ordering::SeqCst);
            let writing = frame.flags.load(Ordering::SeqCst) & WRITING != 0;
            if !writing {
                dirty.extend(pool.arena.pin_quietly(frame.index(), tag));
            }
            if dirty.len() >= WRITE_TOGETHER {
                break;
            }
            continue;
        }
        match take(pool, frame, tag) {
            Some(Taken::Ours(pin) | Taken::Theirs(pin)) => return Place::Pinned(pin),
            None => {}
        }
        if let Some(pin) = present(pool, tag) {
            return Place::Pinned(pin);
        }
    }
    match dirty.is_empty() {
        true => Place::Busy,
        false => Place::WriteOut(dirty),
    }
}

fn present(pool: &PoolState, tag: u64) -> Option<Pin> {
    let index = pool.table.find(&pool.arena, tag)?;
    pool.arena.pin(index, tag)
}

/// Whether the frame's bytes would be lost. Those of a page that does not exist
/// any more may be.
fn needs_writing(frame: &Frame) -> bool {
    frame.flags.load(Ordering::SeqCst) & (DIRTY | WRITING) != 0
        && frame.tag.load(Ordering::SeqCst) != NO_TAG
}

enum Taken {
    Ours(Pin),
    Theirs(Pin),
}

fn take(pool: &PoolState, frame: &Frame, tag: u64) -> Option<Taken> {
    if !frame.claim() {
        return None;
    }
    // Between the look and the claim somebody may have changed the page.
    if needs_writing(frame) {
        frame.unclaim();
        return None;
    }
    let index = frame.index();
    let old = frame.tag.load(Ordering::SeqCst);
    if old != NO_TAG {
        pool.table.unlink(&pool.arena, old, index);
        pool.counters.evictions.fetch_add(1, Ordering::Relaxed);
    }
    frame.flags.store(0, Ordering::SeqCst);
    match pool.table.link(&pool.arena, tag, index) {
        Ok(()) => pool.arena.install(index, tag).map(Taken::Ours),
        Err(other) => {
            frame.unclaim();
            pool.arena.pin(other, tag).map(Taken::Theirs)
        }
    }
}
