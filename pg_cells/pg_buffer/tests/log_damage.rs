//! The log's end against damage: what was cut short by the power is an ordinary
//! end; what was durable and is not there any more is refused, with its place, and
//! nothing is written.

mod common;

use common::{alone, open};
use nvme_port::Op;
use pg_buffer_port::{FileId, Lsn, MiniTx, OpenError, PageId, create_file, read_page};
use pg_page::superblock::{BLOCK, COPIES, LOG_OFFSET};
use pg_wal_port::record::{Parsed, Record};
use pg_wal_port::{ReadError, Superblock};
use sim_disk::{Fault, Image, SimDisk};

const OPTIONS: &str = "buffers=640K log_size=256K log_buffer=64K";
const FILE: FileId = FileId(40);

/// A page whose number is changed, each time with a flush.
fn commit(number: u32) {
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PageId::new(FILE, 0)).unwrap();
    mtx.write(slot, 100, &number.to_le_bytes());
    pg_wal_port::flush(mtx.commit().unwrap()).unwrap();
}

fn number() -> u32 {
    let page = read_page(PageId::new(FILE, 0)).unwrap();
    u32::from_le_bytes(page[100..104].try_into().unwrap())
}

/// A system with `commits` flushed one by one since the last checkpoint.
fn with_commits(commits: u32) -> (SimDisk, Superblock) {
    let disk = SimDisk::new(24 << 20);
    open(&disk, OPTIONS).unwrap();
    create_file(&mut MiniTx::begin(0), FILE).unwrap();
    let mut mtx = MiniTx::begin(0);
    let (slot, _) = mtx.extend(FILE).unwrap();
    mtx.init(slot, 3, 0);
    mtx.commit().unwrap();
    pg_buffer_port::checkpoint().unwrap();
    (1..=commits).for_each(commit);
    (disk, pg_wal_port::superblock().unwrap())
}

/// Start, end and durable position of each record to be replayed.
fn records(image: &Image, superblock: &Superblock) -> Vec<(u64, u64, u64)> {
    let mut found = Vec::new();
    let mut at = superblock.redo;
    let mut log = image.bytes(LOG_OFFSET..LOG_OFFSET + superblock.log_size);
    log.rotate_left((at % superblock.log_size) as usize);
    let mut rest = &log[..];
    while let Parsed::Record(record) = Record::parse(rest, at, superblock.epoch) {
        found.push((at, record.end(), record.durable()));
        rest = &rest[record.len()..];
        at = record.end();
    }
    found
}

fn place(superblock: &Superblock, at: u64) -> u64 {
    LOG_OFFSET + at % superblock.log_size
}

fn flip(disk: &SimDisk, image: &Image, place: u64) {
    disk.damage(place, &[image.bytes(place..place + 1)[0] ^ 0x10]);
}

#[test]
fn damage_before_a_position_that_was_durable_is_refused_with_its_place() {
    let _alone = alone();
    let (disk, superblock) = with_commits(20);
    let image = disk.image();
    let records = records(&image, &superblock);
    assert_eq!(records.len(), 20);
    let known = records.iter().map(|r| r.2).max().unwrap();
    assert_eq!(known, records[19].0, "the last one knows of all before it");
    for (start, end, _) in &records[..19] {
        // Header and body.
        for at in [*start, start + 9, start + 33, end - 9] {
            let damaged = SimDisk::from_image(image.clone());
            flip(&damaged, &image, place(&superblock, at));
            let before = damaged.image();
            let refused = open(&damaged, OPTIONS);
            let wanted = ReadError::Damaged {
                at: Lsn(*start),
                durable: Lsn(known),
            };
            assert_eq!(refused, Err(OpenError::Read(wanted)));
            assert!(damaged.image() == before, "nothing was written");
            let words = refused.unwrap_err().to_string();
            assert!(words.contains(&Lsn(*start).to_string()), "{words}");
        }
    }
    open(&SimDisk::from_image(image), OPTIONS).unwrap();
    assert_eq!(number(), 20);
}

/// Of the last record nobody knows, until another one follows.
#[test]
fn a_seal_protects_the_last_commit() {
    let _alone = alone();
    let (disk, superblock) = with_commits(3);
    let last = records(&disk.image(), &superblock)[2].0;
    let torn = SimDisk::from_image(disk.image());
    flip(&torn, &disk.image(), place(&superblock, last + 40));
    assert!(!pg_wal_port::is_sealed());
    pg_wal_port::seal().unwrap();
    assert!(pg_wal_port::is_sealed());
    let end = pg_wal_port::insert_position();
    pg_wal_port::seal().unwrap();
    assert_eq!(pg_wal_port::insert_position(), end, "once is enough");
    let sealed = SimDisk::from_image(disk.image());
    flip(&sealed, &disk.image(), place(&superblock, last + 40));

    open(&torn, OPTIONS).unwrap();
    assert_eq!(number(), 2, "as if the power had cut it short");
    let wanted = ReadError::Damaged {
        at: Lsn(last),
        durable: Lsn(end.0 - 40),
    };
    assert_eq!(open(&sealed, OPTIONS), Err(OpenError::Read(wanted)));
    // Damage of the seal itself costs nothing.
    let (disk, superblock) = with_commits(3);
    pg_wal_port::seal().unwrap();
    let seal = records(&disk.image(), &superblock)[3].0;
    let again = SimDisk::from_image(disk.image());
    flip(&again, &disk.image(), place(&superblock, seal + 33));
    open(&again, OPTIONS).unwrap();
    assert_eq!(number(), 3);
}

/// A large part of the log, more than was ever in memory, is gone; and the proof
/// lies behind the region's seam.
#[test]
fn damage_is_found_over_any_distance() {
    let _alone = alone();
    let disk = SimDisk::new(24 << 20);
    open(&disk, OPTIONS).unwrap();
    create_file(&mut MiniTx::begin(0), FILE).unwrap();
    let mut mtx = MiniTx::begin(0);
    let (slot, _) = mtx.extend(FILE).unwrap();
    mtx.init(slot, 3, 0);
    mtx.commit().unwrap();
    // Most of a turn, so that what follows goes over the seam.
    let fill = |bytes: u64| {
        let start = pg_wal_port::insert_position().0;
        while pg_wal_port::insert_position().0 < start + bytes {
            let mut mtx = MiniTx::begin(0);
            let slot = mtx.latch(PageId::new(FILE, 0)).unwrap();
            mtx.write(slot, 200, &[7; 2000]);
            pg_wal_port::flush(mtx.commit().unwrap()).unwrap();
        }
    };
    fill(140 << 10);
    pg_buffer_port::checkpoint().unwrap();
    fill(150 << 10);
    let superblock = pg_wal_port::superblock().unwrap();
    let image = disk.image();
    let all = records(&image, &superblock);
    let seam = superblock.log_size;
    assert!(all[0].0 < seam && all.last().unwrap().0 > seam);
    for (from, len) in [
        (all[0].0, 4096u64),
        (all[1].0, 96 << 10),
        (all[2].0, 130 << 10),
    ] {
        let damaged = SimDisk::from_image(image.clone());
        for at in (from..from + len).step_by(8) {
            damaged.damage(place(&superblock, at), &[0; 8]);
        }
        let refused = open(&damaged, OPTIONS);
        let Err(OpenError::Read(ReadError::Damaged { at, .. })) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(at, Lsn(from));
    }
}

#[test]
fn a_part_of_the_log_that_cannot_be_read_is_not_its_end() {
    let _alone = alone();
    let (disk, superblock) = with_commits(20);
    let (end, image) = (pg_wal_port::flushed().0, disk.image());
    let fault = |at: u64| Fault {
        op: Op::Read,
        range: place(&superblock, at)..place(&superblock, at) + 1,
        times: u32::MAX,
    };
    let bad = SimDisk::from_image(image.clone());
    bad.inject(fault(end - 8));
    let refused = open(&bad, OPTIONS);
    let Err(OpenError::Read(ReadError::Disk { at, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(at.0, (end - 8) / BLOCK * BLOCK);
    // Behind the end nobody needs it.
    let beyond = SimDisk::from_image(image);
    beyond.inject(fault(end + 3 * BLOCK));
    open(&beyond, OPTIONS).unwrap();
    assert_eq!(number(), 20);
    bad.heal();
    open(&bad, OPTIONS).unwrap();
    assert_eq!(number(), 20);
}

/// Its header can be read, and lies in another block than its end.
#[test]
fn a_record_that_reaches_into_what_cannot_be_read_is_not_the_end() {
    let _alone = alone();
    let (disk, superblock) = with_commits(3);
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PageId::new(FILE, 0)).unwrap();
    mtx.write(slot, 200, &[7; 7_000]);
    pg_wal_port::flush(mtx.commit().unwrap()).unwrap();
    let image = disk.image();
    let (start, end, _) = *records(&image, &superblock).last().unwrap();
    let last = (end - 1) / BLOCK * BLOCK;
    assert!(start + 40 <= last, "the header is in another block");
    let bad = SimDisk::from_image(image);
    bad.inject(Fault {
        op: Op::Read,
        range: place(&superblock, last)..place(&superblock, last) + 1,
        times: u32::MAX,
    });
    let refused = open(&bad, OPTIONS);
    let Err(OpenError::Read(ReadError::Disk { at, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(at.0, last);
}

#[test]
fn either_copy_of_the_superblock_may_be_unreadable() {
    let _alone = alone();
    for copy in COPIES {
        let (disk, _) = with_commits(5);
        let again = SimDisk::from_image(disk.image());
        again.inject(Fault {
            op: Op::Read,
            range: copy..copy + 512,
            times: u32::MAX,
        });
        open(&again, OPTIONS).unwrap();
        assert_eq!(number(), 5);
        // It was written again.
        pg_buffer_port::shut_down().unwrap();
        again.heal();
        assert!(open(&again, OPTIONS).unwrap().clean);
    }
    let blank = SimDisk::new(24 << 20);
    blank.inject(Fault {
        op: Op::Read,
        range: COPIES[0]..COPIES[0] + 512,
        times: u32::MAX,
    });
    let before = blank.image();
    assert!(matches!(open(&blank, OPTIONS), Err(OpenError::Disk(_))));
    assert!(blank.image() == before, "it may be anybody's");
}

/// A start that fails between the copies has no record yet, and leaves the log before
/// it as it was: either copy leads to its end, from before and after that start.
#[test]
fn either_copy_suffices_after_a_start_that_wrote_one() {
    let _alone = alone();
    let (disk, superblock) = with_commits(5);
    let end = records(&disk.image(), &superblock).last().unwrap().1;
    let (first, second) = match superblock.place() == COPIES[0] {
        true => (COPIES[1], COPIES[0]),
        false => (COPIES[0], COPIES[1]),
    };
    let failing = SimDisk::from_image(disk.power_cut(0));
    failing.inject(Fault {
        op: Op::WriteDurable,
        range: second..second + BLOCK,
        times: u32::MAX,
    });
    assert!(open(&failing, OPTIONS).is_err());
    let left = failing.power_cut(0);
    let start = end.next_multiple_of(BLOCK);
    for (damaged, from, to, epoch) in [
        (first, superblock.redo, end, superblock.epoch + 1),
        (second, start, start, superblock.epoch + 2),
    ] {
        let again = SimDisk::from_image(left.clone());
        again.damage(damaged + 100, &[0xA5]);
        let report = open(&again, OPTIONS).unwrap();
        let found = (report.from.0, report.to.0, report.epoch);
        assert_eq!(found, (from, to, epoch));
        assert_eq!(number(), 5);
        assert_eq!(pg_wal_port::insert_position().0, start);
        commit(6);
        open(&SimDisk::from_image(again.power_cut(0)), OPTIONS).unwrap();
        assert_eq!(number(), 6);
    }
}
