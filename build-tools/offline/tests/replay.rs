//! Promise: what a power cut leaves is made up as a disk may leave it. What was
//! flushed, or written with force, is there; of the rest each write meets every
//! fate, torn only between sectors.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offline::device::{Below, Layer};
use offline::power::image::{Fates, Replay};
use offline::power::log::{self, SECTOR};
use offline::power::random::Random;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const CAPACITY: u64 = 64 * SECTOR;

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

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mitos-replay-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The log over a disk of zeros, all of it done; writes below `forced` are forced.
fn replay(log: &Path, forced: u64) -> Replay {
    let entries = log::read(&File::open(log).unwrap(), CAPACITY).unwrap();
    let disk: Arc<dyn Below> = Arc::new(vec![0u8; CAPACITY as usize]);
    let log = File::open(log).unwrap();
    let count = entries.len();
    let mut replay = Replay::new(disk, log, entries, forced);
    replay.advance(count).unwrap();
    replay
}

fn bytes(layer: &Layer) -> Vec<u8> {
    let mut bytes = vec![0; CAPACITY as usize];
    layer.read(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_flushed_or_forced_is_there() {
    let folder = scratch("flushed");
    let log = folder.join("log");
    let (ones, twos) = ([1; 1024], [2; 512]);
    write_log(&log, &[(0, 0, &ones), (1, 0, &twos), (0, FLUSH, &[])]);
    write_log(&folder.join("forced"), &[(0, 0, &ones), (1, 0, &twos)]);
    for (log, forced) in [(log, 0), (folder.join("forced"), 1024)] {
        let replay = replay(&log, forced);
        for seed in 0..20 {
            let (layer, fates) = replay.cut(&mut Random::new(seed)).unwrap();
            assert_eq!(fates, Fates::default());
            let bytes = bytes(&layer);
            let found = (bytes[0], bytes[511], bytes[512], bytes[1023]);
            assert_eq!(found, (1, 1, 2, 2));
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_was_not_flushed_meets_every_fate() {
    let folder = scratch("lost");
    let log = folder.join("log");
    let data = [7; 16 * 512];
    write_log(&log, &[(0, FLUSH, &[]), (8, 0, &data)]);
    let replay = replay(&log, 1024);
    let mut seen = Fates::default();
    for seed in 0..200 {
        let (layer, fates) = replay.cut(&mut Random::new(seed * 7919)).unwrap();
        let there = bytes(&layer).iter().filter(|byte| **byte == 7).count();
        match (fates.kept, fates.lost) {
            (1, 0) => assert_eq!(there, data.len()),
            (0, 1) => assert_eq!(there, 0),
            _ => assert!(there > 0 && there < data.len() && there % 512 == 0),
        }
        seen.kept += fates.kept;
        seen.lost += fates.lost;
        seen.torn += fates.torn;
    }
    assert!(
        seen.kept > 10 && seen.lost > 10 && seen.torn > 10,
        "{seen:?}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_incomplete_last_entry_is_left_out() {
    let folder = scratch("incomplete");
    let log = folder.join("log");
    let operations: [(u64, u64, &[u8]); 3] =
        [(0, 0, &[1; 512]), (0, FLUSH, &[]), (4, 0, &[9; 4096])];
    write_log(&log, &operations);
    let file = File::options().write(true).open(&log).unwrap();
    file.set_len(file.metadata().unwrap().len() - 512).unwrap();
    let replay = replay(&log, 0);
    assert_eq!(replay.entries().len(), 2);
    let (layer, fates) = replay.cut(&mut Random::new(3)).unwrap();
    assert_eq!(fates, Fates::default());
    assert_eq!(bytes(&layer)[0], 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn another_file_is_no_log_and_a_foreign_disk_none_of_ours() {
    let folder = scratch("other");
    let path = folder.join("log");
    std::fs::write(&path, [1; 1024]).unwrap();
    let open = || File::open(&path).unwrap();
    assert!(log::read(&open(), CAPACITY).is_err());
    std::fs::write(&path, []).unwrap();
    assert_eq!(log::read(&open(), CAPACITY).unwrap(), []);
    let disk: Arc<dyn Below> = Arc::new(vec![0u8; CAPACITY as usize]);
    assert!(Replay::over(disk, open()).is_err());
    std::fs::remove_dir_all(folder).unwrap();
}
