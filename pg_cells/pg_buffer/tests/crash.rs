//! Power failures at random moments: what was durable is there, everything else
//! is there as a whole or not at all, in the order of the log.

mod common;

use common::{Workload, alone, open};
use pg_buffer_port::{BufferError, OpenError};
use sim_disk::{Random, SimDisk};

const OPTIONS: &str = "buffers=640K log_size=512K log_buffer=1M";

#[test]
fn an_orderly_end_leaves_nothing_to_replay() {
    let _alone = alone();
    let disk = SimDisk::new(24 << 20);
    open(&disk, OPTIONS).unwrap();
    let mut work = Workload::new(1);
    for _ in 0..2_000 {
        work.step().unwrap();
    }
    work.model.check("before the end");
    pg_buffer_port::shut_down().unwrap();
    let again = SimDisk::from_image(disk.power_cut(0));
    let report = open(&again, OPTIONS).unwrap();
    assert!(report.clean);
    assert_eq!(report.records, 0);
    assert!(report.highest_xid < 1000 && report.highest_xid > 900);
    work.model.check("after the end");
    assert_eq!(pg_buffer_port::pins().unwrap(), 0);
}

fn crash_and_recover(seed: u64) {
    let mut random = Random::new(seed ^ 0xC0FFEE);
    let mut disk = SimDisk::new(24 << 20);
    open(&disk, OPTIONS).unwrap();
    let mut work = Workload::new(seed);
    for life in 0..6 {
        let context = format!("seed {seed}, life {life}");
        disk.fail_after(1 + random.below(400));
        while !disk.is_dead() {
            match work.step() {
                Ok(()) | Err(BufferError::DiskFull) => {}
                Err(_) if disk.is_dead() => {}
                Err(error) => panic!("{context}: {error}"),
            }
        }
        // The power may fail again while we recover.
        let report = loop {
            disk = SimDisk::from_image(disk.power_cut(random.next_u64()));
            if seed % 2 == 1 {
                disk = disk.block_size(4096);
            }
            if random.below(3) == 0 {
                disk.fail_after(1 + random.below(40));
            }
            match open(&disk, OPTIONS) {
                Ok(report) => break report,
                Err(_) if disk.is_dead() => {}
                Err(error) => panic!("{context}: {error}"),
            }
        };
        if disk.is_dead() {
            continue;
        }
        work.rewind(report.to);
        work.flushed = pg_wal_port::flushed();
        work.model.check(&context);
        assert_eq!(pg_buffer_port::pins().unwrap(), 0, "{context}");
    }
}

#[test]
fn what_was_durable_survives_and_the_rest_is_whole_or_absent() {
    let _alone = alone();
    let seeds = std::env::var("SEEDS").map_or(12, |s| s.parse().expect("a number"));
    let first = std::env::var("SEED").map_or(0, |s| s.parse().expect("a number"));
    for seed in first..first + seeds {
        crash_and_recover(seed);
    }
}

#[test]
fn a_foreign_disk_is_not_touched() {
    let _alone = alone();
    let disk = SimDisk::new(24 << 20);
    disk.damage(510, &[0x55, 0xAA]);
    let before = disk.image();
    assert!(matches!(open(&disk, OPTIONS), Err(OpenError::Disk(_))));
    assert!(disk.image() == before);
    let small = SimDisk::new(128 << 10);
    assert!(matches!(open(&small, OPTIONS), Err(OpenError::Disk(_))));
    assert!(small.image() == SimDisk::new(128 << 10).image());
}
