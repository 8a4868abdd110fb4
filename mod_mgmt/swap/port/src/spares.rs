//! Spares: of each running cell a fresh instance that is linked already, so that
//! after a fault nothing is left to do but to bear it and to flip.
//!
//! Checking, unpacking and linking an object is nearly all of the time of a swap. A
//! spare has it behind it and is in nobody's way: the namespace does not know it, and
//! none of its code has run. It is taken when the very object that it was made from is
//! asked for, and only while all that it was linked to is still current. One cell has
//! one; who takes it makes place for the next, which the captain's clerk makes when
//! there is time. Whatever may leave a cell without a spare says so ([`look`]): looking
//! through all cells again and again would cost more than all else that a system does
//! at rest.

use crate::objects;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use cell_archive::Entry;
use core::sync::atomic::{AtomicBool, Ordering};
use mod_mgmt::loader::{self, Prepared};
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use mod_mgmt::scope::Scope;
use sync::{Mutex, WaitQueue};

/// The most bytes that all spares may have. All cells behind ports have a third.
pub const BUDGET: usize = 48 << 20;

static SPARES: Mutex<BTreeMap<String, Prepared>> = Mutex::new(BTreeMap::new());

/// Some cell may be without one.
static WANTED: AtomicBool = AtomicBool::new(false);
/// Whoever makes them, waiting.
static MAKER: WaitQueue = WaitQueue::new();

/// Says that a cell may be without a spare: what runs, or what is kept, has changed.
pub fn look() {
    WANTED.store(true, Ordering::SeqCst);
    MAKER.wake_one();
}

/// Waits until a spare may be wanted or `other` holds, whose change [`nudge`] tells.
pub fn wait(other: impl Fn() -> bool) {
    MAKER.wait_until(|| (WANTED.load(Ordering::SeqCst) || other()).then_some(()));
}

/// What the maker of spares waits for beside them may have come.
pub fn nudge() {
    MAKER.wake_one();
}

/// The spare of the cell in `entry`, if there is one that loading it anew would give.
#[must_use]
pub fn take(entry: &Entry<'_>) -> Option<Arc<Loaded>> {
    let spare = SPARES.lock().remove(entry.name)?;
    spare.is_of(entry).then(|| spare.enter())
}

/// Drops the spares that are not of what runs now: they would keep what they were
/// linked to loaded.
pub fn purge() {
    let mut spares = core::mem::take(&mut *SPARES.lock());
    spares.retain(|name, spare| {
        let running = NAMESPACE.find(name).map(|cell| cell.object);
        running == Some(spare.object()) && spare.is_current()
    });
    // What came meanwhile is younger.
    let mut all = SPARES.lock();
    for (name, spare) in spares {
        all.entry(name).or_insert(spare);
    }
}

/// Makes one spare that is missing; false when none is. Takes as long as loading a
/// cell.
pub fn make_one() -> bool {
    // Before looking: what changes meanwhile is looked at again.
    if !WANTED.swap(false, Ordering::SeqCst) {
        return false;
    }
    let Some(cell) = wanting() else {
        return false;
    };
    let Some(source) = objects::by_object(&cell.name, cell.object) else {
        return false;
    };
    let made = source.with_entry(&cell.name, |entry| {
        loader::prepare(entry, &Scope::default())
    });
    let Some(Ok(spare)) = made else {
        // Loading it will be refused as well when the time comes, and that is told.
        return false;
    };
    let former = SPARES.lock().insert(cell.name.to_string(), spare);
    drop(former);
    // There may be more.
    WANTED.store(true, Ordering::SeqCst);
    true
}

/// A running cell without a spare, if there is room for one.
fn wanting() -> Option<Arc<Loaded>> {
    let runs = |cell: &Arc<Loaded>| {
        let doors = cell.cell().map_or(&[][..], |cell| cell.provides);
        doors.iter().any(|door| door.status().cell.is_some())
    };
    let cells = NAMESPACE.cells();
    let spares = SPARES.lock();
    let used: usize = spares.values().map(Prepared::size).sum();
    let fits = |cell: &&Arc<Loaded>| used + cell.size <= BUDGET;
    let missing = |cell: &&Arc<Loaded>| !spares.contains_key(&cell.name);
    let found = cells.iter().filter(missing).filter(fits).find(|c| runs(c));
    found.cloned()
}

/// How many spares there are, and their bytes.
#[must_use]
pub fn usage() -> (usize, usize) {
    let spares = SPARES.lock();
    (spares.len(), spares.values().map(Prepared::size).sum())
}
