//! A power cut as a disk with a volatile cache sees it.
//!
//! Killing QEMU loses nothing that was written: the host keeps it. So a
//! recording guest's disk sits behind QEMU's `blklogwrites`, which logs every
//! write, flush and discard in order. After the kill, [`cut`] makes the disk
//! anew from the state before the boot: everything up to the last flush, and
//! of what came later a part that a seed decides: a write is there, missing, or
//! torn between its sectors.
//!
//! The log's format is that of Linux's dm-log-writes: a superblock, then for
//! each operation one sector (sector, count, flags, length: u64 each) and the
//! data written.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What the log counts in, and what a disk writes whole or not at all.
const SECTOR: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// What became of the writes after the last flush, and how many were before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Operations that a flush had made durable.
    pub durable: usize,
    /// Later ones that are there nonetheless.
    pub kept: usize,
    /// Later ones of which nothing is there.
    pub lost: usize,
    /// Later ones of which some sectors are there.
    pub torn: usize,
}

struct Operation {
    /// First sector.
    sector: u64,
    /// Number of sectors.
    count: u64,
    flags: u64,
    /// Where the data lies in the log.
    data: u64,
}

/// Applies the log to `disk`, which holds the state before the boot.
///
/// # Errors
/// When a file cannot be read or written, or the log is no log.
pub fn cut(disk: &Path, log: &Path, seed: u64) -> io::Result<Cut> {
    let disk = File::options().read(true).write(true).open(disk)?;
    let log = File::open(log)?;
    let operations = read_log(&log, disk.metadata()?.len() / SECTOR)?;
    let flushed = operations
        .iter()
        .rposition(|operation| operation.flags & FLUSH != 0);
    let durable = flushed.map_or(0, |index| index + 1);
    let mut random = Random(seed | 1);
    let mut cut = Cut {
        durable,
        ..Cut::default()
    };
    for (index, operation) in operations.iter().enumerate() {
        if operation.count == 0 {
            continue;
        }
        let fate = if index < durable || operation.flags & FUA != 0 {
            0
        } else {
            random.below(3)
        };
        if index >= durable {
            *[&mut cut.kept, &mut cut.lost, &mut cut.torn][fate] += 1;
        }
        for sector in 0..operation.count {
            let is_there = fate == 0 || fate == 2 && random.below(2) == 0;
            if is_there {
                apply(&disk, &log, operation, sector)?;
            }
        }
    }
    disk.sync_all()?;
    Ok(cut)
}

fn apply(disk: &File, log: &File, operation: &Operation, sector: u64) -> io::Result<()> {
    let mut data = [0; SECTOR as usize];
    if operation.flags & DISCARD == 0 {
        log.read_exact_at(&mut data, operation.data + sector * SECTOR)?;
    }
    disk.write_all_at(&data, (operation.sector + sector) * SECTOR)
}

fn read_log(log: &File, disk_sectors: u64) -> io::Result<Vec<Operation>> {
    let end = log.metadata()?.len();
    if end < SECTOR {
        return Ok(Vec::new());
    }
    // The superblock is first written at the first flush.
    let [magic, ..] = words(log, 0)?;
    if magic != MAGIC && magic != 0 {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "not a log of writes",
        ));
    }
    let mut operations = Vec::new();
    let mut at = SECTOR;
    // The superblock's count lags behind; the last entry may be incomplete.
    while at + SECTOR <= end {
        let [sector, count, flags, _] = words(log, at)?;
        let data = at + SECTOR;
        let has_data = flags & (FLUSH | DISCARD) == 0;
        let next = data + if has_data { count * SECTOR } else { 0 };
        let is_sound = sector
            .checked_add(count)
            .is_some_and(|last| last <= disk_sectors);
        if !is_sound || next > end {
            break;
        }
        let count = if flags & FLUSH == 0 { count } else { 0 };
        operations.push(Operation {
            sector,
            count,
            flags,
            data,
        });
        at = next;
    }
    Ok(operations)
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

/// xorshift: the same seed gives the same cut.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The low bits are the weak ones.
        usize::try_from((self.0 >> 32) % limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;

    /// A log of operations: first sector, flags, data.
    fn write_log(path: &Path, operations: &[(u64, u64, &[u8])]) {
        let mut bytes = vec![0; 512];
        bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
        for (sector, flags, data) in operations {
            let mut header = vec![0; 512];
            let count = data.len() as u64 / SECTOR;
            header[..8].copy_from_slice(&sector.to_le_bytes());
            header[8..16].copy_from_slice(&count.to_le_bytes());
            header[16..24].copy_from_slice(&flags.to_le_bytes());
            bytes.extend(header);
            bytes.extend(*data);
        }
        File::create(path).unwrap().write_all(&bytes).unwrap();
    }

    fn scratch(name: &str) -> (PathBuf, PathBuf) {
        let folder =
            std::env::temp_dir().join(format!("mitos-power-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let disk = folder.join("disk");
        File::create(&disk).unwrap().set_len(64 * SECTOR).unwrap();
        (disk, folder.join("log"))
    }

    #[test]
    fn what_was_flushed_is_there() {
        let (disk, log) = scratch("flushed");
        let (ones, twos) = ([1; 1024], [2; 512]);
        write_log(&log, &[(0, 0, &ones), (1, 0, &twos), (0, FLUSH, &[])]);
        for seed in 0..20 {
            let result = cut(&disk, &log, seed).unwrap();
            assert_eq!(
                result,
                Cut {
                    durable: 3,
                    ..Cut::default()
                }
            );
            let bytes = std::fs::read(&disk).unwrap();
            assert_eq!(
                (bytes[0], bytes[511], bytes[512], bytes[1023]),
                (1, 1, 2, 2)
            );
        }
        std::fs::remove_dir_all(disk.parent().unwrap()).unwrap();
    }

    #[test]
    fn what_was_not_flushed_meets_every_fate() {
        let (disk, log) = scratch("lost");
        let data = [7; 16 * 512];
        write_log(&log, &[(0, FLUSH, &[]), (8, 0, &data)]);
        let mut seen = Cut::default();
        for seed in 0..100 {
            File::create(&disk).unwrap().set_len(64 * SECTOR).unwrap();
            let result = cut(&disk, &log, seed * 7919).unwrap();
            let there = std::fs::read(&disk)
                .unwrap()
                .iter()
                .filter(|byte| **byte == 7)
                .count();
            match (result.kept, result.lost) {
                (1, 0) => assert_eq!(there, data.len()),
                (0, 1) => assert_eq!(there, 0),
                _ => assert!(there < data.len() && there % 512 == 0),
            }
            seen.kept += result.kept;
            seen.lost += result.lost;
            seen.torn += result.torn;
        }
        assert!(
            seen.kept > 10 && seen.lost > 10 && seen.torn > 10,
            "{seen:?}"
        );
        std::fs::remove_dir_all(disk.parent().unwrap()).unwrap();
    }

    #[test]
    fn an_incomplete_last_entry_is_left_out() {
        let (disk, log) = scratch("incomplete");
        write_log(
            &log,
            &[(0, 0, &[1; 512]), (0, FLUSH, &[]), (4, 0, &[9; 4096])],
        );
        let file = File::options().write(true).open(&log).unwrap();
        file.set_len(file.metadata().unwrap().len() - 512).unwrap();
        let result = cut(&disk, &log, 3).unwrap();
        assert_eq!(
            result,
            Cut {
                durable: 2,
                ..Cut::default()
            }
        );
        std::fs::remove_dir_all(disk.parent().unwrap()).unwrap();
    }

    #[test]
    fn another_file_is_no_log() {
        let (disk, log) = scratch("other");
        std::fs::write(&log, [1; 1024]).unwrap();
        assert!(cut(&disk, &log, 1).is_err());
        std::fs::write(&log, []).unwrap();
        assert_eq!(cut(&disk, &log, 1).unwrap(), Cut::default());
        std::fs::remove_dir_all(disk.parent().unwrap()).unwrap();
    }
}
