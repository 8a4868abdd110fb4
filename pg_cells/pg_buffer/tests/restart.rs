//! Storage starts anew by itself after the log, or a flush, has failed: what was
//! durable is there, the rest wholly or not at all, and nobody of before goes on.

mod common;

use common::{alone, open};
use nvme_port::Op;
use pg_buffer_port::{BufferError, FileId, MiniTx, PageId, create_file, read_page};
use pg_page::superblock::LOG_OFFSET;
use sim_disk::{Fault, SimDisk};
use std::time::{Duration, Instant};

const OPTIONS: &str = "buffers=640K log_size=1M";
const FILE: FileId = FileId(40);

fn write(number: u32) -> Result<pg_buffer_port::Lsn, BufferError> {
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PageId::new(FILE, 0))?;
    mtx.write(slot, 100, &number.to_le_bytes());
    mtx.commit()
}

fn number() -> Result<u32, BufferError> {
    let page = read_page(PageId::new(FILE, 0))?;
    Ok(pg_page::get_u32(&page[..], 100))
}

/// A system whose only page says 1, durably, with its loops.
fn system() -> SimDisk {
    let disk = SimDisk::new(24 << 20);
    open(&disk, OPTIONS).unwrap();
    create_file(&mut MiniTx::begin(0), FILE).unwrap();
    let mut mtx = MiniTx::begin(0);
    let (slot, _) = mtx.extend(FILE).unwrap();
    mtx.init(slot, 3, 0);
    mtx.commit().unwrap();
    pg_buffer_port::checkpoint().unwrap();
    pg_wal_port::flush(write(1).unwrap()).unwrap();
    pg_buffer_port::run_background().unwrap();
    disk
}

fn await_storage() {
    let begun = Instant::now();
    while pg_wal_port::has_failed() || !pg_wal_port::is_open() || number().is_err() {
        let patience = Duration::from_secs(60);
        assert!(begun.elapsed() < patience, "storage does not come back");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn end() {
    pg_buffer_port::shut_down().unwrap();
    // The loops must not meet the next test's disk.
    std::thread::sleep(Duration::from_millis(1_200));
}

#[test]
fn a_failed_write_of_the_log_ends_in_another_start() {
    let _alone = alone();
    let disk = system();
    let (epoch, restarts) = (
        pg_wal_port::epoch(),
        pg_buffer_port::stats().unwrap().restarts,
    );
    let begun = MiniTx::begin(0);
    let of_before = MiniTx::begin_in(epoch, 0);
    // Superblocks and log: the first tries to start anew fail, too.
    disk.inject(Fault {
        op: Op::WriteDurable,
        range: 0..LOG_OFFSET + (1 << 20),
        times: 4,
    });
    // Or the loop that seals the log was first to meet the fault.
    let outcome = write(2).and_then(|lsn| Ok(pg_wal_port::flush(lsn)?));
    assert!(outcome.is_err());
    await_storage();
    assert!(pg_wal_port::epoch() > epoch);
    assert!(pg_buffer_port::stats().unwrap().restarts > restarts);
    assert!(number() == Ok(1), "its write had failed");
    for mut mtx in [begun, of_before, MiniTx::begin_in(epoch, 0)] {
        // Either is told so at once, or when it wants to be in the log.
        if let Ok(slot) = mtx.latch(PageId::new(FILE, 0)) {
            mtx.write(slot, 100, &[9; 4]);
            assert!(mtx.commit().is_err(), "of another start");
        }
    }
    assert_eq!(number(), Ok(1));
    pg_wal_port::flush(write(3).unwrap()).unwrap();
    let image = disk.power_cut(1);
    end();
    open(&SimDisk::from_image(image), OPTIONS).unwrap();
    assert_eq!(number(), Ok(3));
}

#[test]
fn a_failed_flush_ends_in_another_start_that_loses_nothing_durable() {
    let _alone = alone();
    let disk = system();
    pg_wal_port::flush(write(2).unwrap()).unwrap();
    disk.inject(Fault {
        op: Op::Flush,
        range: 0..u64::MAX,
        times: 3,
    });
    assert!(pg_buffer_port::checkpoint().is_err());
    await_storage();
    assert_eq!(number(), Ok(2));
    pg_wal_port::flush(write(3).unwrap()).unwrap();
    pg_buffer_port::checkpoint().unwrap();
    let image = disk.power_cut(2);
    end();
    open(&SimDisk::from_image(image), OPTIONS).unwrap();
    assert_eq!(number(), Ok(3));
}
