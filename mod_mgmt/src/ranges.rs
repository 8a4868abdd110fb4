//! Which loaded cell's memory lies at an address.
//!
//! Every report of a fault asks, and the fault may be damage to the heap. So this table
//! lies in place, in the boot image, and has a lock of its own.

use crate::namespace::Loaded;
use alloc::sync::{Arc, Weak};
use sync::IrqLock;

/// The most cells, of all generations, that are found by address: some five times as many
/// as there are.
const MOST: usize = 512;

struct Range {
    start: usize,
    end: usize,
    cell: Weak<Loaded>,
}

/// The first `len` places are taken, sorted by address.
struct Ranges {
    len: usize,
    places: [Option<Range>; MOST],
}

static RANGES: IrqLock<Ranges> = IrqLock::new(Ranges {
    len: 0,
    places: [const { None }; MOST],
});

impl Ranges {
    /// How many ranges start below `address` or there.
    fn up_to(&self, address: usize) -> usize {
        let starts = |place: &Option<Range>| place.as_ref().is_some_and(|r| r.start <= address);
        self.places[..self.len].partition_point(starts)
    }
}

/// Enters a cell; false when there is no room.
pub(crate) fn enter(cell: &Arc<Loaded>) -> bool {
    let mut ranges = RANGES.lock();
    let (at, len) = (ranges.up_to(cell.start), ranges.len);
    if len == MOST {
        return false;
    }
    ranges.places[at..=len].rotate_right(1);
    ranges.places[at] = Some(Range {
        start: cell.start,
        end: cell.start + cell.size,
        cell: Arc::downgrade(cell),
    });
    ranges.len += 1;
    true
}

/// Forgets the cell that starts there.
pub(crate) fn leave(start: usize) {
    let mut ranges = RANGES.lock();
    let (end, len) = (ranges.up_to(start), ranges.len);
    let Some(at) = end.checked_sub(1) else { return };
    if ranges.places[at].as_ref().is_none_or(|r| r.start != start) {
        return;
    }
    let gone = ranges.places[at].take();
    ranges.places[at..len].rotate_left(1);
    ranges.len -= 1;
    // What it kept may be given back now, and not under the lock.
    drop(ranges);
    drop(gone);
}

/// The cell whose memory covers `address`. None, too, while a fault in the middle of such a
/// look is seen to, on the same CPU.
pub(crate) fn find(address: usize) -> Option<Arc<Loaded>> {
    let ranges = RANGES.lock_unless_mine()?;
    let range = ranges.places[ranges.up_to(address).checked_sub(1)?].as_ref()?;
    if address < range.end {
        range.cell.upgrade()
    } else {
        None
    }
}
