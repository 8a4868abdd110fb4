//! CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), the checksum of pages
//! and log records.
//!
//! x86-64 CPUs with SSE 4.2 have an instruction for it, eight bytes at a time;
//! others take the table, eight bytes a step ("slicing by eight", Kounavis and
//! Berry 2005). Both give the same sum; a test compares them.
#![cfg_attr(mitos, no_std)]

use core::sync::atomic::{AtomicU8, Ordering};

const POLYNOMIAL: u32 = 0x82F6_3B78;

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut level = 1;
    while level < 8 {
        let mut byte = 0;
        while byte < 256 {
            let below = tables[level - 1][byte];
            tables[level][byte] = (below >> 8) ^ tables[0][(below & 0xFF) as usize];
            byte += 1;
        }
        level += 1;
    }
    tables
}

static TABLES: [[u32; 256]; 8] = tables();

fn by_table(mut crc: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word) ^ u64::from(crc);
        crc = 0;
        for (at, table) in TABLES.iter().rev().enumerate() {
            crc ^= table[(word >> (8 * at)) as usize & 0xFF];
        }
    }
    for byte in rest {
        crc = (crc >> 8) ^ TABLES[0][((crc ^ u32::from(*byte)) & 0xFF) as usize];
    }
    crc
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn by_instruction(crc: u32, bytes: &[u8]) -> u32 {
    use core::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u64};
    let (words, rest) = bytes.as_chunks::<8>();
    let mut wide = u64::from(crc);
    for word in words {
        wide = _mm_crc32_u64(wide, u64::from_le_bytes(*word));
    }
    // The upper half of the instruction's result is zero.
    let mut crc = wide as u32;
    for byte in rest {
        crc = _mm_crc32_u8(crc, *byte);
    }
    crc
}

const UNKNOWN: u8 = 0;
const ABSENT: u8 = 1;
const PRESENT: u8 = 2;

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_instruction() -> bool {
    /// What CPUID said; asked once.
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    match ANSWER.load(Ordering::Relaxed) {
        UNKNOWN => {
            // Leaf 1, ECX bit 20: SSE 4.2 (Intel SDM, CPUID).
            let present = core::arch::x86_64::__cpuid(1).ecx & (1 << 20) != 0;
            ANSWER.store(if present { PRESENT } else { ABSENT }, Ordering::Relaxed);
            present
        }
        answer => answer == PRESENT,
    }
}

#[inline]
fn raw(crc: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if has_instruction() {
        // SAFETY: CPUID said that this CPU has SSE 4.2.
        return unsafe { by_instruction(crc, bytes) };
    }
    by_table(crc, bytes)
}

/// The CRC-32C of `bytes`, continued from `before`: the sum of what stands in
/// front of them, 0 for nothing.
#[inline]
#[must_use]
pub fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    !raw(!before, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_rfc_3720() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(0, &[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(0, &[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(0, b"123456789"), 0xE306_9283);
    }

    #[test]
    fn table_and_instruction_agree_at_every_length_and_continue() {
        let bytes: Vec<u8> = (0..300u32).map(|i| (i * 7 + (i >> 3)) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(!by_table(!0, &bytes[..len]), crc32c(0, &bytes[..len]));
            let (head, tail) = bytes[..len].split_at(len / 3);
            assert_eq!(crc32c(crc32c(0, head), tail), crc32c(0, &bytes[..len]));
        }
    }
}
