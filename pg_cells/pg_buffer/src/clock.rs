//! Replacement: the clock with usage counts (as PostgreSQL's `freelist.c`
//! describes it), and before it the frames that a scan of a large file has left.
//! A scan so goes round in a few frames of its own: it neither moves the clock's
//! hand nor wears down the counts of the pages that others use.
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
/// How many frames that scans have left are looked at; most will do.
const LEFT_TRIES: usize = 16;

pub(crate) fn place(pool: &PoolState, tag: u64, once: bool) -> Place {
    if tag == NO_TAG {
        return Place::Busy;
    }
    if let Some(pin) = present(pool, tag, once) {
        return Place::Pinned(pin);
    }
    if let Some(place) = left(pool, tag, once) {
        return place;
    }
    let frames = pool.arena.frames();
    let mut dirty: Vec<Pin> = Vec::new();
    // Usage counts reach 5: so many rounds find every frame that is not pinned.
    for _ in 0..frames.len() * 7 {
        let at = pool.hand.fetch_add(1, Ordering::Relaxed) as usize % frames.len();
        let frame = &frames[at];
        // A frame whose page is gone may still have the uses of that page.
        let empty = frame.tag.load(Ordering::SeqCst) == NO_TAG;
        if !frame.visit() && !empty {
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
        match take(pool, frame, tag, once) {
            Some(Taken::Ours(pin) | Taken::Theirs(pin)) => return Place::Pinned(pin),
            None => {}
        }
        if let Some(pin) = present(pool, tag, once) {
            return Place::Pinned(pin);
        }
    }
    match dirty.is_empty() {
        true => Place::Busy,
        false => Place::WriteOut(dirty),
    }
}

fn present(pool: &PoolState, tag: u64, once: bool) -> Option<Pin> {
    let index = pool.table.find(pool.arena, tag)?;
    pin(pool, index, tag, once)
}

fn pin(pool: &PoolState, index: u32, tag: u64, once: bool) -> Option<Pin> {
    match once {
        true => pool.arena.pin_quietly(index, tag),
        false => pool.arena.pin(index, tag),
    }
}

/// A frame whose page was read by a scan alone, which has left it. Those that were
/// changed stand behind the others, until there are enough to be written together.
/// Not before the pool has been full: until then the clock finds a frame that holds
/// nothing.
fn left(pool: &PoolState, tag: u64, once: bool) -> Option<Place> {
    if pool.counters.evictions.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let mut dirty: Vec<Pin> = Vec::new();
    let tries = pool.left.lock().len().min(LEFT_TRIES);
    for _ in 0..tries {
        let (index, old) = pool.left.lock().pop_front()?;
        let frame = pool.arena.frames().get(index as usize)?;
        if frame.tag.load(Ordering::SeqCst) != old || !frame.is_idle() {
            continue;
        }
        if needs_writing(frame) {
            pool.left.lock().push_back((index, old));
            if frame.flags.load(Ordering::SeqCst) & WRITING == 0 {
                dirty.extend(pool.arena.pin_quietly(index, old));
            }
            if dirty.len() >= WRITE_TOGETHER {
                return Some(Place::WriteOut(dirty));
            }
            continue;
        }
        if let Some(Taken::Ours(pin) | Taken::Theirs(pin)) = take(pool, frame, tag, once) {
            return Some(Place::Pinned(pin));
        }
    }
    None
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

fn take(pool: &PoolState, frame: &Frame, tag: u64, once: bool) -> Option<Taken> {
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
        pool.table.unlink(pool.arena, old, index);
        pool.counters.evictions.fetch_add(1, Ordering::Relaxed);
    }
    frame.flags.store(0, Ordering::SeqCst);
    match pool.table.link(pool.arena, tag, index) {
        Ok(()) => pool.arena.install(index, tag, !once).map(Taken::Ours),
        Err(other) => {
            frame.unclaim();
            pin(pool, other, tag, once).map(Taken::Theirs)
        }
    }
}
