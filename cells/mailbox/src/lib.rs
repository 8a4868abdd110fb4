//! The mailbox: a file of the host that the machine shows as the memory of a
//! PCI device. A push leaves its archive there, since the control line is slow.
//!
//! [`is_there`] says whether the machine has one, [`read`] copies the archive
//! out. What the host writes is not trusted: the archive is checked and its
//! signature verified like any other, after the copy. Nothing is ever written
//! here.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

use memory::DeviceMemory;

/// The base address register that is the memory.
const MEMORY: usize = 2;

/// True when the machine has a mailbox and nobody reads it just now.
#[must_use]
pub fn is_there() -> bool {
    let (vendor, device) = control::MAILBOX_PCI;
    pci::claim_id(vendor, &[device]).is_some_and(|mailbox| mailbox.window(MEMORY).is_ok())
}

/// Copies the first `len` bytes; `None` without a mailbox of that size.
#[must_use]
pub fn read(len: usize) -> Option<Vec<u8>> {
    let (vendor, device) = control::MAILBOX_PCI;
    let mailbox = pci::claim_id(vendor, &[device])?;
    mailbox.enable();
    let mapped = mailbox.map(MEMORY, len.next_multiple_of(4096)).ok()?;
    copy(&mapped, len)
}

/// Copies in words, since each access is one of its own.
fn copy(mapped: &DeviceMemory, len: usize) -> Option<Vec<u8>> {
    let words = len.div_ceil(8);
    if words * 8 > mapped.len() {
        return None;
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(words * 8).ok()?;
    for word in 0..words {
        bytes.extend_from_slice(&mapped.read64(word * 8).to_ne_bytes());
    }
    bytes.truncate(len);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_what_is_there_and_no_more() {
        let words: Vec<u64> = (0..512).map(|n| n * 0x0101_0101_0101).collect();
        let mapped = DeviceMemory::map(words.as_ptr().expose_provenance() as u64, 4096).unwrap();
        let all: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        for len in [0, 1, 8, 4091, 4096] {
            assert_eq!(copy(&mapped, len).as_deref(), Some(&all[..len]));
        }
        assert_eq!(copy(&mapped, 4097), None);
    }

    #[test]
    fn a_machine_without_pci_has_no_mailbox() {
        assert!(!is_there());
        assert_eq!(read(1), None);
    }
}
