//! How long the last repair of each cell took: from the fault to the gate, to the first
//! call that was served again, to the fresh instance.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use mod_mgmt::namespace::NAMESPACE;
use sync::SpinLock;
use task_port::{Fault, FaultKind};

/// The last fault of a cell, and what followed. Times are the system's (ns).
#[derive(Clone, Debug)]
pub struct Repair {
    /// The cell.
    pub cell: String,
    /// What happened.
    pub kind: FaultKind,
    /// When.
    pub at: u64,
    /// When the gate had it, and all that the frames held was given back.
    pub caught: u64,
    /// When a call ended that entered the cell after that; 0 as long as none has.
    pub served: u64,
    /// When a fresh instance, or another version, had taken the cell's place; 0 as long
    /// as none has.
    pub replaced: u64,
    /// How many things the ledger gave back.
    pub released: usize,
    /// How many locks were left torn.
    pub torn: usize,
}

/// Faults that gates have reported since the boot, whoever they are blamed on.
static FAULTS: AtomicU64 = AtomicU64::new(0);
static REPAIRS: SpinLock<BTreeMap<String, Repair>> = SpinLock::new(BTreeMap::new());

impl Repair {
    pub(crate) fn new(fault: &Fault, caught: u64) -> Self {
        Repair {
            cell: fault.cell.clone(),
            kind: fault.kind,
            at: fault.at,
            caught,
            served: 0,
            replaced: 0,
            released: fault.released,
            torn: fault.torn,
        }
    }
}

/// How many faults gates have reported since the boot.
#[must_use]
pub fn faults() -> u64 {
    FAULTS.load(Ordering::Relaxed)
}

pub(crate) fn begin(repair: Repair) {
    FAULTS.fetch_add(1, Ordering::Relaxed);
    let name = repair.cell.clone();
    let former = REPAIRS.lock().insert(name, repair);
    drop(former);
}

pub(crate) fn end(cell: &str) {
    if let Some(repair) = REPAIRS.lock().get_mut(cell) {
        repair.replaced = task_port::now();
    }
}

/// A fault of an instance that had been replaced before anybody looked at it: unless
/// another came since, its repair is done.
pub(crate) fn end_stale(fault: &Fault) {
    if let Some(repair) = REPAIRS.lock().get_mut(&fault.cell)
        && repair.at == fault.at
    {
        repair.replaced = task_port::now();
    }
}

/// The last repair of each cell, by name.
#[must_use]
pub fn repairs() -> Vec<Repair> {
    let mut all: Vec<Repair> = REPAIRS.lock().values().cloned().collect();
    for repair in &mut all {
        let cell = NAMESPACE.find(&repair.cell);
        let doors = cell.as_ref().and_then(|code| code.cell());
        let doors = doors.map_or(&[][..], |cell| cell.provides);
        let served = doors.iter().map(|door| door.status().served);
        repair.served = served.filter(|at| *at >= repair.caught).min().unwrap_or(0);
    }
    all
}
