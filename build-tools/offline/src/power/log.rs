//! The log of writes that QEMU's `blklogwrites` keeps, in the format of Linux's
//! dm-log-writes: a superblock in the first sector, then for each operation a
//! sector (place, count, flags, length; u64 each, in sectors) and the data.
//!
//! An entry is written once its operation is done and before the guest is told
//! so. Hence whatever a client was told has all its writes among the entries that
//! end at or before the log's length at that moment.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What places and counts are in, and what a disk writes whole or not at all.
pub const SECTOR: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Data was written; `forced`: it was durable then.
    Write {
        /// With force unit access.
        forced: bool,
    },
    /// The place was given back; it reads as zeros.
    Discard,
    /// Everything done before is durable.
    Flush,
}

/// One operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What was done.
    pub kind: Kind,
    /// Where on the disk, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
    /// Where its data lies in the log.
    pub data: u64,
    /// Where the entry ends in the log.
    pub end: u64,
}

/// All complete entries of a log over a disk of `capacity` bytes.
///
/// # Errors
/// When the file cannot be read, or is no such log.
pub fn read(log: &File, capacity: u64) -> io::Result<Vec<Entry>> {
    let size = log.metadata()?.len();
    let mut entries = Vec::new();
    if size < SECTOR {
        return Ok(entries);
    }
    // The superblock is first written at the first flush.
    let magic = words(log, 0)?[0];
    if magic != MAGIC && magic != 0 {
        let error = io::Error::new(io::ErrorKind::InvalidData, "not a log of writes");
        return Err(error);
    }
    let mut at = SECTOR;
    while at + SECTOR <= size {
        let [sector, count, flags, _] = words(log, at)?;
        let kind = match flags {
            f if f & FLUSH != 0 => Kind::Flush,
            f if f & DISCARD != 0 => Kind::Discard,
            f => Kind::Write {
                forced: f & FUA != 0,
            },
        };
        let data = at + SECTOR;
        let has_data = matches!(kind, Kind::Write { .. });
        let end = data + if has_data { count * SECTOR } else { 0 };
        let inside = sector
            .checked_add(count)
            .and_then(|last| last.checked_mul(SECTOR))
            .is_some_and(|last| last <= capacity);
        // Room that was taken and not filled when the power went reads as zeros.
        if !inside || end > size || (has_data && count == 0) {
            break;
        }
        entries.push(Entry {
            kind,
            offset: sector * SECTOR,
            len: count * SECTOR,
            data,
            end,
        });
        at = end;
    }
    Ok(entries)
}

fn words(log: &File, at: u64) -> io::Result<[u64; 4]> {
    let mut bytes = [0; 32];
    log.read_exact_at(&mut bytes, at)?;
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Ok(words)
}
