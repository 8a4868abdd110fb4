//! Damage to running code and data, for campaigns of injected faults.
//!
//! The protection of no mapping is lifted: bytes are written through the window,
//! the second, writable mapping of all memory. What to damage is the cell
//! `fault_injection`'s affair; here is only the power to do it.

use crate::namespace::Loaded;
use memory::{WINDOW, paging};

/// The power to damage what runs. There is one way to get it.
#[derive(Debug)]
pub struct Power(());

impl Power {
    /// The power, if the system was booted with `faults=inject`. Whoever boots so
    /// wants a system that breaks.
    #[must_use]
    pub fn grant(options: &port::Options) -> Option<Self> {
        (options.get("faults") == Some("inject")).then_some(Power(()))
    }

    /// The byte at `address`, if it is mapped.
    #[must_use]
    pub fn read(&self, address: usize) -> Option<u8> {
        let at = alias(address)?;
        // SAFETY: `alias` found the byte mapped, so the window has it.
        Some(unsafe { at.read_volatile() })
    }

    /// Writes the byte at `address`, whatever its pages allow. False when nothing
    /// is mapped there.
    #[must_use]
    pub fn write(&self, address: usize, byte: u8) -> bool {
        let Some(at) = alias(address) else {
            return false;
        };
        // SAFETY: mapped, as above. What this breaks is meant to break: the power
        // exists only in a system booted for that.
        unsafe { at.write_volatile(byte) };
        true
    }

    /// Whether `address` may be a heap object's: those lie in the window, unlike
    /// the code and the constants of cells.
    #[must_use]
    pub fn is_heap(&self, address: usize) -> bool {
        (WINDOW as usize..WINDOW_END).contains(&address) && self.read(address).is_some()
    }

    /// A cell's executable and its writable bytes, as first address and length.
    #[must_use]
    pub fn parts(&self, cell: &Loaded) -> [(usize, usize); 2] {
        let [execute, _, write] = &cell.memory;
        [
            (execute.start(), execute.len()),
            (write.start(), write.len()),
        ]
    }
}

/// The window ends here at the latest: device registers follow.
const WINDOW_END: usize = 0xffff_d000_0000_0000;

/// Where the window has the byte at `address`.
fn alias(address: usize) -> Option<*mut u8> {
    let (physical, _) = paging::translate(address as u64)?;
    Some((WINDOW + physical) as *mut u8)
}
