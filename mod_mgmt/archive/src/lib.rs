//! The cell archive: how cells travel from the host into a running system.
//!
//! The boot image (QEMU's initrd) and every push are one such archive. It
//! names its cells in dependency order, says which interfaces each was
//! compiled against, and is signed as a whole: one ed25519 signature covers
//! the *table* (header, entries, uses, strings), and the table holds a digest
//! of every payload. So a boot pays for one signature check, and a payload is
//! hashed only when it is about to be loaded.
//!
//! - [`Archive`] reads one; it is total: any byte string gives an archive or
//!   an [`ArchiveError`], never a panic.
//! - [`SymbolTable`] reads the payload of the entry of kind
//!   [`EntryKind::BaseSymbols`].
//! - `write` (feature `write`, host only) makes both.
//!
//! What does *not* belong here: ELF, relocation, or what a cell may import.
//! The layout is drawn in `layout.rs` and in docs/building.md.
#![cfg_attr(not(any(test, feature = "write")), no_std)]
#![forbid(unsafe_code)]

mod layout;
mod read;
mod symbols;
#[cfg(feature = "write")]
pub mod write;

pub use layout::{EntryKind, FORMAT_VERSION, MAGIC, PAYLOAD_ALIGN};
pub use read::{Archive, ArchiveError, Entry, Use, UseKind, Uses};
pub use symbols::{Symbol, SymbolTable, hash_name};

/// Length of an ed25519 public key.
pub const PUBLIC_KEY_LEN: usize = 32;

/// The digest the table keeps of each payload: BLAKE3, which takes a third of the
/// instructions of SHA-512/256 with nothing but SSE2.
pub fn payload_digest(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// A digest for other purposes, such as the build's cache: SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

/// Reads a public key written as 64 hexadecimal digits, as the build passes it
/// to the loader in the environment variable `MITOS_PUBLIC_KEY`.
pub const fn public_key_from_hex(hex: &str) -> Option<[u8; PUBLIC_KEY_LEN]> {
    let hex = hex.as_bytes();
    if hex.len() != 2 * PUBLIC_KEY_LEN {
        return None;
    }
    let mut key = [0; PUBLIC_KEY_LEN];
    let mut i = 0;
    while i < PUBLIC_KEY_LEN {
        let (Some(high), Some(low)) = (nibble(hex[2 * i]), nibble(hex[2 * i + 1])) else {
            return None;
        };
        key[i] = high << 4 | low;
        i += 1;
    }
    Some(key)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
