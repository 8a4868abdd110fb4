//! SIREAD locks. A transaction that has read many rows of a page holds the page,
//! one that has read many places of a file holds the file: less memory, and more
//! conflicts that are none. The same when all together hold too many.

use alloc::vec::Vec;
use pg_txn_port::ReadTarget;
use pg_txn_port::serial_state::Serial;

/// Rows of one page that a transaction holds one by one.
pub const ROWS_OF_PAGE: usize = 8;
/// Places of one file that a transaction holds one by one.
pub const PLACES_OF_FILE: u32 = 256;
/// Locks of all transactions that are held one by one.
pub const LOCKS: usize = 1 << 16;

/// Notes that `me` has read `place`. Answers what it holds for that: the place
/// or what contains it.
pub fn acquire(serial: &mut Serial, me: u64, place: ReadTarget) -> ReadTarget {
    let Some(mine) = serial.xacts.get(&me) else {
        return place;
    };
    let mut next = Some(place);
    while let Some(held) = next {
        if mine.reads.contains(&held) {
            return held;
        }
        next = held.around();
    }
    let rows = ReadTarget::row(place.file, place.block, 1)
        ..=ReadTarget::row(place.file, place.block, u16::MAX);
    let crowded = place.slot != 0 && mine.reads.range(rows).count() >= ROWS_OF_PAGE;
    let parts = mine.parts.get(&place.file).copied().unwrap_or(0);
    let place = if parts >= PLACES_OF_FILE || serial.locks >= LOCKS {
        ReadTarget::file(place.file)
    } else if crowded {
        ReadTarget::page(place.file, place.block)
    } else {
        place
    };
    hold(serial, me, place);
    place
}

/// Makes `me` a holder of `place`, and no more of what is in it.
fn hold(serial: &mut Serial, me: u64, place: ReadTarget) {
    let inside = if place.is_file() {
        Some(ReadTarget::page(place.file, 0)..place)
    } else if place.slot == 0 {
        let first = ReadTarget::row(place.file, place.block, 1);
        Some(first..ReadTarget::row(place.file, place.block, u16::MAX))
    } else {
        None
    };
    let Some(mine) = serial.xacts.get_mut(&me) else {
        return;
    };
    if !mine.reads.insert(place) {
        return;
    }
    let gone: Vec<ReadTarget> = match inside {
        Some(range) => mine.reads.range(range).copied().collect(),
        None => Vec::new(),
    };
    for part in &gone {
        mine.reads.remove(part);
    }
    let parts = mine.parts.entry(place.file).or_default();
    *parts -= gone.len() as u32;
    *parts += u32::from(!place.is_file());
    serial.locks += 1;
    serial.readers.entry(place).or_default().push(me);
    for part in gone {
        let_go(serial, me, part);
    }
}

fn let_go(serial: &mut Serial, me: u64, place: ReadTarget) {
    if let Some(holders) = serial.readers.get_mut(&place) {
        holders.retain(|h| *h != me);
        serial.locks -= 1;
        if holders.is_empty() {
            serial.readers.remove(&place);
        }
    }
}

/// Takes all locks from `me`.
pub fn release(serial: &mut Serial, me: u64) -> Vec<ReadTarget> {
    let Some(mine) = serial.xacts.get_mut(&me) else {
        return Vec::new();
    };
    mine.parts.clear();
    let places: Vec<_> = core::mem::take(&mut mine.reads).into_iter().collect();
    for place in &places {
        let_go(serial, me, *place);
    }
    places
}

/// Notes places that a summarised transaction had read.
pub fn keep_old(serial: &mut Serial, places: Vec<ReadTarget>, commit: u64) {
    for place in places {
        let place = match serial.old_readers.len() >= LOCKS {
            true => ReadTarget::file(place.file),
            false => place,
        };
        let latest = serial.old_readers.entry(place).or_default();
        *latest = commit.max(*latest);
    }
}

/// Whoever holds the page `block` holds the pages `new` too.
pub fn split(serial: &mut Serial, file: u32, block: u32, new: &[u32]) {
    let old = ReadTarget::page(file, block);
    let holders = serial.readers.get(&old).cloned().unwrap_or_default();
    for page in new {
        let page = ReadTarget::page(file, *page);
        for holder in &holders {
            hold(serial, *holder, page);
        }
        if let Some(commit) = serial.old_readers.get(&old).copied() {
            let latest = serial.old_readers.entry(page).or_default();
            *latest = commit.max(*latest);
        }
    }
}

/// Whoever holds something of `from` holds all of `to`.
pub fn replaced(serial: &mut Serial, from: u32, to: u32) {
    let all = ReadTarget::page(from, 0)..=ReadTarget::file(from);
    let holders = serial.readers.range(all.clone());
    let mut holders: Vec<u64> = holders.flat_map(|(_, ids)| ids).copied().collect();
    holders.sort_unstable();
    holders.dedup();
    let to = ReadTarget::file(to);
    for holder in holders {
        hold(serial, holder, to);
    }
    let old = serial.old_readers.range(all).map(|(_, commit)| *commit);
    if let Some(commit) = old.max() {
        let latest = serial.old_readers.entry(to).or_default();
        *latest = commit.max(*latest);
    }
}
