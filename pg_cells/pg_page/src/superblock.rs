//! The superblock: what a disk is divided into, and where recovery starts.
//!
//! ```text
//!  disk
//!  0         32 KiB     64 KiB                                              capacity
//!  | copy 0  | copy 1   | log (circular) | space map pages | extent 0 | extent 1 ...
//!
//!  copy, one block of 4096 bytes, little-endian
//!   0 magic [8]        8 format u32      12 crc u32        16 sequence u64
//!  24 uuid [16]       40 capacity u64    48 log_offset u64 56 log_size u64
//!  64 map_offset u64  72 map_pages u32   76 extent_pages u32
//!  80 data_offset u64 88 extents u32     92 flags u32      96 redo u64
//! 104 epoch u32      108 in_memory u32  112 highest_xid u64
//! ```
//! `in_memory` is in KiB: at most so much of the log was in memory and not durable
//! at any moment of this start. It says how far behind a damaged record the proof
//! of its damage may lie.
//!
//! Format 1 had log records of another shape. A disk of it that was shut down in
//! order has no log to be read, and becomes one of format 2 with its first start.
//!
//! The copies are written one after the other, each with the next sequence number;
//! the valid one with the higher number counts, so a torn write costs nothing.
//! The log is freed once both are there, so a copy that is damaged later costs
//! nothing either.

use crate::{PAGE_SIZE, get_u32, get_u64};
use alloc::vec::Vec;

/// Bytes of a copy, and of a log block.
pub const BLOCK: u64 = 4096;
/// Where the two copies lie.
pub const COPIES: [u64; 2] = [0, 32 << 10];
/// Where the log region starts.
pub const LOG_OFFSET: u64 = 64 << 10;
/// The format this code writes and reads.
pub const FORMAT: u32 = 2;
/// The format before it, taken over when there is no log to be read.
const FORMER: u32 = 1;
/// Bytes of one extent's entry in the space map.
pub const MAP_ENTRY: usize = 16;
/// Entries on a page of the space map.
pub const ENTRIES_PER_MAP_PAGE: u32 = ((PAGE_SIZE - crate::HEADER_SIZE) / MAP_ENTRY) as u32;

const MAGIC: [u8; 8] = *b"MITOSDB\x01";
const MAX_EXTENTS: u64 = 1 << 20;
const MIN_EXTENT_PAGES: u64 = 16;
const MIN_LOG: u64 = 256 << 10;
const MAX_DEFAULT_LOG: u64 = 256 << 20;
const CLEAN: u32 = 1;

/// A superblock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Superblock {
    /// Counts up with each write.
    pub sequence: u64,
    /// Tells disks apart.
    pub uuid: [u8; 16],
    /// Bytes of the disk when it was formatted.
    pub capacity: u64,
    /// Bytes of the log region.
    pub log_size: u64,
    /// Where the space map starts.
    pub map_offset: u64,
    /// Pages of the space map.
    pub map_pages: u32,
    /// Pages of an extent.
    pub extent_pages: u32,
    /// Where extent 0 starts.
    pub data_offset: u64,
    /// How many extents there are.
    pub extents: u32,
    /// Whether the system was shut down in order, with nothing to replay.
    pub clean: bool,
    /// The log position from which recovery starts.
    pub redo: u64,
    /// Counts up with each start: log records of an earlier one are not mistaken
    /// for new ones.
    pub epoch: u32,
    /// At most so many bytes of this start's log were not durable at one time.
    pub in_memory: u64,
    /// No transaction number beyond it was in the log before `redo`.
    pub highest_xid: u64,
}

/// Why a disk cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SuperblockError {
    /// It holds something else.
    Foreign,
    /// It is ours, but of a format that this code does not read.
    Format(u32),
    /// It is ours, but both copies are damaged or make no sense.
    Damaged,
    /// It is smaller than when it was formatted, or too small to be.
    TooSmall {
        /// Bytes it must have.
        needed: u64,
    },
}

/// What the places of the copies hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Only zeros: a new disk.
    Blank,
    /// A superblock.
    Valid(Superblock),
}

impl Superblock {
    /// Divides a new disk of `capacity` bytes; `log` is the wanted size of the
    /// log region.
    ///
    /// # Errors
    /// [`SuperblockError::TooSmall`].
    pub fn plan(capacity: u64, log: Option<u64>, uuid: [u8; 16]) -> Result<Self, SuperblockError> {
        let page = PAGE_SIZE as u64;
        let log_size = log
            .unwrap_or((capacity / 8).min(MAX_DEFAULT_LOG))
            .clamp(MIN_LOG, (capacity / 2).max(MIN_LOG))
            / page
            * page;
        let mut extent_pages = MIN_EXTENT_PAGES;
        while capacity / (extent_pages * page) > MAX_EXTENTS {
            extent_pages *= 2;
        }
        let map_offset = LOG_OFFSET + log_size;
        let most = capacity.saturating_sub(map_offset) / (extent_pages * page);
        let map_pages = most.div_ceil(u64::from(ENTRIES_PER_MAP_PAGE)).max(1);
        let data_offset = map_offset + map_pages * page;
        let extents = capacity.saturating_sub(data_offset) / (extent_pages * page);
        if extents < 2 {
            return Err(SuperblockError::TooSmall {
                needed: data_offset + 2 * extent_pages * page,
            });
        }
        Ok(Superblock {
            sequence: 0,
            uuid,
            capacity,
            log_size,
            map_offset,
            map_pages: map_pages as u32,
            extent_pages: extent_pages as u32,
            data_offset,
            extents: extents as u32,
            clean: true,
            redo: BLOCK,
            epoch: 0,
            in_memory: 0,
            highest_xid: 0,
        })
    }

    /// As it stands on the disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![0; BLOCK as usize];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &FORMAT.to_le_bytes());
        put(16, &self.sequence.to_le_bytes());
        put(24, &self.uuid);
        put(40, &self.capacity.to_le_bytes());
        put(48, &LOG_OFFSET.to_le_bytes());
        put(56, &self.log_size.to_le_bytes());
        put(64, &self.map_offset.to_le_bytes());
        put(72, &self.map_pages.to_le_bytes());
        put(76, &self.extent_pages.to_le_bytes());
        put(80, &self.data_offset.to_le_bytes());
        put(88, &self.extents.to_le_bytes());
        put(92, &(if self.clean { CLEAN } else { 0 }).to_le_bytes());
        put(96, &self.redo.to_le_bytes());
        put(104, &self.epoch.to_le_bytes());
        let in_memory = u32::try_from(self.in_memory.div_ceil(1024)).unwrap_or(u32::MAX);
        put(108, &in_memory.to_le_bytes());
        put(112, &self.highest_xid.to_le_bytes());
        let crc = checksum::crc32c(0, &out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, SuperblockError> {
        if bytes.len() < BLOCK as usize || bytes[..8] != MAGIC {
            return Err(SuperblockError::Foreign);
        }
        let mut copy = bytes[..BLOCK as usize].to_vec();
        copy[12..16].fill(0);
        if checksum::crc32c(0, &copy) != get_u32(bytes, 12) {
            return Err(SuperblockError::Damaged);
        }
        let clean = get_u32(bytes, 92) & CLEAN != 0;
        match get_u32(bytes, 8) {
            FORMAT => {}
            FORMER if clean => {}
            other => return Err(SuperblockError::Format(other)),
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[24..40]);
        let this = Superblock {
            sequence: get_u64(bytes, 16),
            uuid,
            capacity: get_u64(bytes, 40),
            log_size: get_u64(bytes, 56),
            map_offset: get_u64(bytes, 64),
            map_pages: get_u32(bytes, 72),
            extent_pages: get_u32(bytes, 76),
            data_offset: get_u64(bytes, 80),
            extents: get_u32(bytes, 88),
            clean,
            redo: get_u64(bytes, 96),
            epoch: get_u32(bytes, 104),
            in_memory: u64::from(get_u32(bytes, 108)) * 1024,
            highest_xid: get_u64(bytes, 112),
        };
        // The division follows from two numbers; a copy that says otherwise was
        // not written by us.
        let planned = Superblock::plan(this.capacity, Some(this.log_size), uuid);
        let same = planned.is_ok_and(|p| {
            (p.log_size, p.map_offset, p.map_pages)
                == (this.log_size, this.map_offset, this.map_pages)
                && (p.extent_pages, p.data_offset, p.extents)
                    == (this.extent_pages, this.data_offset, this.extents)
        });
        if same {
            Ok(this)
        } else {
            Err(SuperblockError::Damaged)
        }
    }

    /// What the two copies, as read from the disk, amount to on a disk of
    /// `capacity` bytes.
    ///
    /// # Errors
    /// When the disk must not be touched.
    pub fn find(copies: [&[u8]; 2], capacity: u64) -> Result<Found, SuperblockError> {
        if copies.iter().all(|c| c.iter().all(|b| *b == 0)) {
            return Ok(Found::Blank);
        }
        let found = copies.map(Superblock::decode);
        let newest = found.iter().flatten().max_by_key(|s| s.sequence);
        if let Some(error) = found.iter().find_map(|f| match f {
            Err(error @ SuperblockError::Format(_)) => Some(*error),
            _ => None,
        }) {
            return Err(error);
        }
        match newest {
            Some(found) if found.capacity > capacity => Err(SuperblockError::TooSmall {
                needed: found.capacity,
            }),
            Some(found) => Ok(Found::Valid(*found)),
            None if found.contains(&Err(SuperblockError::Damaged)) => Err(SuperblockError::Damaged),
            None => Err(SuperblockError::Foreign),
        }
    }

    /// Where the next copy is to be written.
    #[must_use]
    pub fn place(&self) -> u64 {
        COPIES[(self.sequence % 2) as usize]
    }
}

impl core::fmt::Display for SuperblockError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            SuperblockError::Foreign => f.write_str(
                "the disk holds something else; it was not touched (boot with disk=overwrite \
                     to make a new database on it)",
            ),
            SuperblockError::Format(format @ ..FORMAT) => {
                write!(
                    f,
                    "the disk has format {format} and a log to be replayed, this system knows \
                     {FORMAT}; once the system that wrote it has shut it down in order, it is \
                     taken over"
                )
            }
            SuperblockError::Format(format) => {
                write!(
                    f,
                    "the disk has format {format}, this system knows {FORMAT}"
                )
            }
            SuperblockError::Damaged => f.write_str("both superblocks of the disk are damaged"),
            SuperblockError::TooSmall { needed } => {
                write!(f, "the disk is too small: {needed} bytes are needed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: [u8; BLOCK as usize] = [0; BLOCK as usize];

    #[test]
    fn the_newer_valid_copy_counts() {
        let old = Superblock::plan(64 << 20, None, [7; 16]).unwrap();
        let new = Superblock {
            sequence: 1,
            redo: 8192,
            ..old
        };
        let (a, b) = (old.encode(), new.encode());
        assert_eq!(Superblock::find([&a, &b], 64 << 20), Ok(Found::Valid(new)));
        let mut torn = b.clone();
        torn[100] ^= 1;
        assert_eq!(
            Superblock::find([&a, &torn], 64 << 20),
            Ok(Found::Valid(old))
        );
        assert_eq!(
            Superblock::find([&a, &ZERO], 64 << 20),
            Ok(Found::Valid(old))
        );
        assert_eq!(
            Superblock::find([&torn, &torn], 64 << 20),
            Err(SuperblockError::Damaged)
        );
    }

    #[test]
    fn foreign_newer_and_small_disks_are_told_apart() {
        assert_eq!(Superblock::find([&ZERO, &ZERO], 0), Ok(Found::Blank));
        let mut foreign = ZERO;
        foreign[510] = 0x55;
        assert_eq!(
            Superblock::find([&foreign, &ZERO], 0),
            Err(SuperblockError::Foreign)
        );
        let plan = Superblock::plan(64 << 20, None, [7; 16]).unwrap();
        let with_format = |plan: &Superblock, format: u32| {
            let mut other = plan.encode();
            other[8..12].copy_from_slice(&format.to_le_bytes());
            other[12..16].fill(0);
            let crc = checksum::crc32c(0, &other);
            other[12..16].copy_from_slice(&crc.to_le_bytes());
            other
        };
        let newer = with_format(&plan, FORMAT + 1);
        assert_eq!(
            Superblock::find([&newer, &ZERO], 64 << 20),
            Err(SuperblockError::Format(FORMAT + 1))
        );
        // The former format is taken over when its log need not be read.
        let clean = with_format(&plan, FORMER);
        assert_eq!(
            Superblock::find([&clean, &ZERO], 64 << 20),
            Ok(Found::Valid(plan))
        );
        let clean = false;
        let unclean = with_format(&Superblock { clean, ..plan }, FORMER);
        assert_eq!(
            Superblock::find([&unclean, &ZERO], 64 << 20),
            Err(SuperblockError::Format(FORMER))
        );
        let small = Superblock::find([&plan.encode(), &ZERO], 32 << 20);
        assert_eq!(small, Err(SuperblockError::TooSmall { needed: 64 << 20 }));
        assert!(Superblock::plan(100 << 10, None, [0; 16]).is_err());
    }

    #[test]
    fn every_size_is_divided_without_overlap() {
        for shift in 20..46 {
            let Ok(plan) = Superblock::plan((1 << shift) + 12_345, None, [0; 16]) else {
                continue;
            };
            let end = plan.data_offset
                + u64::from(plan.extents) * u64::from(plan.extent_pages) * PAGE_SIZE as u64;
            assert!(end <= plan.capacity && plan.extents <= 1 << 20);
            assert!(plan.extents <= plan.map_pages * ENTRIES_PER_MAP_PAGE);
            assert_eq!(
                plan.map_offset + u64::from(plan.map_pages) * PAGE_SIZE as u64,
                plan.data_offset
            );
        }
    }
}
