//! Log records.
//!
//! ```text
//!  0        4       8     16     24      28     30       32        40
//!  +--------+-------+-----+------+-------+------+--------+---------+-------------+
//!  | length | crc   | lsn | xid  | epoch | kind | blocks | durable | body ...    |
//!  | u32    | u32   | u64 | u64  | u32   | u16  | u16    | u64     | (8-aligned) |
//!  +--------+-------+-----+------+-------+------+--------+---------+-------------+
//! ```
//! - `length` counts header and body and is a multiple of 8.
//! - `crc`: CRC-32C of bytes 16 to the end, of `length`, and of `lsn`.
//! - `lsn` is the record's own position. The log region is circular, so stale
//!   bytes may look like a record: they name another position.
//! - `epoch` is the superblock's. A record that was written before a crash but
//!   behind the point where recovery stopped may come to stand where the log goes
//!   on, or right behind a new record, at its right position; its epoch gives it
//!   away.
//! - `durable`: the log before this position was durable when the record was
//!   appended. It tells damage from a torn end: bytes that are no record and lie
//!   before a position that some later record knows to have been durable were
//!   written once and have changed since. See [`crate::LogReader::find_end`].
//!
//! The body belongs to the buffer pool.

use alloc::vec::Vec;
use pg_page::{get_u16, get_u32, get_u64};

/// Bytes of the header.
pub const HEADER: usize = 40;
/// The longest record, header included.
pub const MAX_RECORD: usize = 512 << 10;

/// The record commits its transaction.
pub const COMMIT: u16 = 1;
/// The record aborts its transaction.
pub const ABORT: u16 = 2;

/// Where checksums start: bytes of another format are no records.
const CRC_START: u32 = 2;

/// A record that is being built.
#[derive(Debug, Default)]
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Builder { bytes: Vec::new() }
    }

    /// Starts over, keeping the memory.
    #[inline]
    pub fn start(&mut self, xid: u64, kind: u16, blocks: u16) {
        let mut header = [0; HEADER];
        header[16..24].copy_from_slice(&xid.to_le_bytes());
        header[28..30].copy_from_slice(&kind.to_le_bytes());
        header[30..32].copy_from_slice(&blocks.to_le_bytes());
        self.bytes.clear();
        self.bytes.extend_from_slice(&header);
    }

    /// The bytes so far; the body is appended to them.
    #[inline]
    pub fn body(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Pads the record and completes the header but for position and epoch.
    ///
    /// # Errors
    /// The length, when it is too long.
    #[inline]
    pub fn finish(&mut self) -> Result<(), usize> {
        let len = self.bytes.len().next_multiple_of(8);
        if len > MAX_RECORD {
            return Err(len);
        }
        let padding = len - self.bytes.len();
        self.bytes.extend_from_slice(&[0; 8][..padding]);
        self.bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
        Ok(())
    }

    /// Bytes of memory it keeps.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The finished record.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its transaction.
    #[inline]
    #[must_use]
    pub fn xid(&self) -> u64 {
        get_u64(&self.bytes, 16)
    }

    /// Sets the epoch and up to where the log is durable, and gives the checksum of
    /// all but the position.
    #[inline]
    pub fn prepare(&mut self, epoch: u32, durable: u64) -> u32 {
        self.bytes[24..28].copy_from_slice(&epoch.to_le_bytes());
        self.bytes[32..40].copy_from_slice(&durable.to_le_bytes());
        let body = checksum::crc32c(CRC_START, &self.bytes[16..]);
        checksum::crc32c(body, &self.bytes[..4])
    }

    /// Puts the record at `lsn`; `prepared` is from [`Builder::prepare`].
    #[inline]
    pub fn place(&mut self, lsn: u64, prepared: u32) {
        let lsn = lsn.to_le_bytes();
        let crc = checksum::crc32c(prepared, &lsn);
        self.bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        self.bytes[8..16].copy_from_slice(&lsn);
    }
}

/// A record as it is read.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    bytes: &'a [u8],
}

/// What stands at a position of the log.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A record.
    Record(Record<'a>),
    /// Perhaps a record of this many bytes; there are not enough bytes here.
    More(usize),
    /// No record.
    Nothing,
}

impl<'a> Record<'a> {
    /// Looks for the record at position `lsn`, whose bytes start `bytes`, with
    /// the epoch `epoch`.
    #[must_use]
    pub fn parse(bytes: &'a [u8], lsn: u64, epoch: u32) -> Parsed<'a> {
        if bytes.len() < HEADER {
            return Parsed::More(HEADER);
        }
        let len = get_u32(bytes, 0) as usize;
        let plausible = (HEADER..=MAX_RECORD).contains(&len) && len.is_multiple_of(8);
        if !plausible || get_u64(bytes, 8) != lsn || get_u32(bytes, 24) != epoch {
            return Parsed::Nothing;
        }
        let Some(bytes) = bytes.get(..len) else {
            return Parsed::More(len);
        };
        let crc = checksum::crc32c(CRC_START, &bytes[16..]);
        let crc = checksum::crc32c(checksum::crc32c(crc, &bytes[..4]), &bytes[8..16]);
        if crc == get_u32(bytes, 4) {
            Parsed::Record(Record { bytes })
        } else {
            Parsed::Nothing
        }
    }

    /// Header and body.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its position.
    #[must_use]
    pub fn lsn(&self) -> u64 {
        get_u64(self.bytes, 8)
    }

    /// The position after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.lsn() + self.bytes.len() as u64
    }

    /// Its transaction; 0 for none.
    #[must_use]
    pub fn xid(&self) -> u64 {
        get_u64(self.bytes, 16)
    }

    /// The start that wrote it.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        get_u32(self.bytes, 24)
    }

    /// The log before this position was durable when it was appended.
    #[must_use]
    pub fn durable(&self) -> u64 {
        get_u64(self.bytes, 32)
    }

    /// [`COMMIT`] and [`ABORT`].
    #[must_use]
    pub fn kind(&self) -> u16 {
        get_u16(self.bytes, 28)
    }

    /// How many blocks the body speaks of.
    #[must_use]
    pub fn blocks(&self) -> u16 {
        get_u16(self.bytes, 30)
    }

    /// The body, with the padding.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(lsn: u64, epoch: u32) -> Vec<u8> {
        let mut builder = Builder::new();
        builder.start(42, COMMIT, 1);
        builder.body().extend_from_slice(b"hello, log");
        builder.finish().unwrap();
        let prepared = builder.prepare(epoch, 4000);
        builder.place(lsn, prepared);
        builder.bytes().to_vec()
    }

    #[test]
    fn a_record_is_read_only_where_and_when_it_was_written() {
        let bytes = sample(4096, 3);
        let Parsed::Record(record) = Record::parse(&bytes, 4096, 3) else {
            panic!("not found");
        };
        assert_eq!(
            (record.xid(), record.kind(), record.epoch()),
            (42, COMMIT, 3)
        );
        assert_eq!((record.end(), record.len()), (4096 + 56, 56));
        assert_eq!(record.durable(), 4000);
        assert_eq!(&record.body()[..10], b"hello, log");
        assert!(matches!(Record::parse(&bytes, 4104, 3), Parsed::Nothing));
        assert!(matches!(Record::parse(&bytes, 4096, 4), Parsed::Nothing));
        assert!(matches!(
            Record::parse(&bytes[..48], 4096, 3),
            Parsed::More(56)
        ));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = sample(4096, 3);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !matches!(Record::parse(&bad, 4096, 3), Parsed::Record(_)),
                "bit {bit}"
            );
        }
    }
}
