//! Data larger than the pool, by counts: what stays in memory, what is read ahead,
//! what is written together, and who waits for a checkpoint.

mod common;

use common::{alone, open};
use nvme_port::Op;
use pg_buffer_port::{FileId, MiniTx, PageId, Scan, create_file, read_page, stats, under_way};
use sim_disk::{Random, SimDisk};
use std::sync::atomic::{AtomicBool, Ordering};

/// 80 frames.
const OPTIONS: &str = "buffers=640K log_size=16M";
/// Ten times as many pages.
const LARGE: FileId = FileId(8);
const PAGES: u32 = 800;
/// A quarter of the frames.
const HOT: FileId = FileId(12);
const HOT_PAGES: u32 = 20;

fn fill(file: FileId, count: u32) {
    create_file(&mut MiniTx::begin(0), file).unwrap();
    for _ in 0..count {
        let mut mtx = MiniTx::begin(0);
        let (slot, block) = mtx.extend(file).unwrap();
        mtx.init(slot, 1, 0);
        mtx.write(slot, 100, &block.to_le_bytes());
        pg_wal_port::flush(mtx.commit().unwrap()).unwrap();
        if block % 64 == 63 {
            pg_buffer_port::checkpoint().unwrap();
        }
    }
    pg_buffer_port::checkpoint().unwrap();
}

/// A database with both files, opened anew: nothing is in memory.
fn cold() -> SimDisk {
    let disk = SimDisk::new(48 << 20);
    open(&disk, OPTIONS).unwrap();
    fill(HOT, HOT_PAGES);
    fill(LARGE, PAGES);
    pg_buffer_port::shut_down().unwrap();
    let disk = SimDisk::from_image(disk.image());
    open(&disk, OPTIONS).unwrap();
    disk
}

fn number(page: &pg_page::Page) -> u32 {
    pg_page::get_u32(&page[..], 100)
}

fn reads() -> u64 {
    stats().unwrap().reads
}

/// Uses every hot page; how many had to be read.
fn use_hot() -> u64 {
    let before = reads();
    for block in 0..HOT_PAGES {
        let page = read_page(PageId::new(HOT, block)).unwrap();
        assert_eq!(number(&page), block);
    }
    reads() - before
}

#[test]
fn a_large_scan_leaves_in_memory_what_others_use() {
    let _alone = alone();
    // Used once only, and then not for the whole of a scan: the clock's hand would
    // pass each hot page ten times.
    let misses = |read: &mut dyn FnMut(PageId) -> u32| {
        let _disk = cold();
        use_hot();
        let before = reads();
        for block in 0..PAGES {
            assert_eq!(read(PageId::new(LARGE, block)), block);
        }
        assert!(reads() - before >= u64::from(PAGES) - 80, "it does not fit");
        use_hot()
    };
    let mut scan = Scan::new();
    let with = misses(&mut |id| number(&scan.read(id).unwrap()));
    let without = misses(&mut |id| number(&read_page(id).unwrap()));
    assert_eq!(without, u64::from(HOT_PAGES), "the pool is no larger");
    assert_eq!(with, 0);
}

#[test]
fn scans_of_many_at_once_and_changes_leave_the_hot_pages_in_memory() {
    let _alone = alone();
    let _disk = cold();
    use_hot();
    let mut scans: [Scan; 4] = Default::default();
    let (mut random, mut missed) = (Random::new(5), 0);
    for block in 0..PAGES {
        for (at, scan) in scans.iter_mut().enumerate() {
            let block = (block + at as u32 * 200) % PAGES;
            let page = scan.read(PageId::new(LARGE, block)).unwrap();
            assert_eq!(number(&page), block);
        }
        if block % 40 == 0 {
            missed += use_hot();
            let block = random.below(u64::from(HOT_PAGES)) as u32;
            let mut mtx = MiniTx::begin(0);
            let slot = mtx.latch(PageId::new(HOT, block)).unwrap();
            mtx.write(slot, 200, &[7; 8]);
            mtx.commit().unwrap();
        }
    }
    assert_eq!(missed, 0);
}

#[test]
fn a_scan_that_changes_pages_writes_them_and_leaves_the_hot_ones_in_memory() {
    let _alone = alone();
    let disk = cold();
    use_hot();
    let (mut scan, before) = (Scan::new(), (disk.counts(), stats().unwrap()));
    for block in 0..PAGES {
        let mut mtx = MiniTx::begin(0);
        let id = PageId::new(LARGE, block);
        let slot = scan.latch(&mut mtx, id).unwrap();
        assert_eq!(number(mtx.page(slot)), block);
        mtx.write(slot, 400, &block.to_le_bytes());
        mtx.commit().unwrap();
        let log = pg_wal_port::stats();
        assert!(log.used < log.size / 4 * 3, "nobody makes checkpoints here");
    }
    assert_eq!(use_hot(), 0);
    // Pages that must be written to make room go several at a time: they are
    // neighbours.
    let writes = disk.counts().writes - before.0.writes;
    let pages = stats().unwrap().writes - before.1.writes;
    assert!(pages > u64::from(PAGES) - 80, "{pages} pages");
    assert!(writes * 4 < pages, "{writes} writes of {pages} pages");
    for block in 0..PAGES {
        let page = read_page(PageId::new(LARGE, block)).unwrap();
        assert_eq!(pg_page::get_u32(&page[..], 400), block);
    }
}

#[test]
fn a_file_that_fits_is_read_once_however_often_it_is_scanned() {
    let _alone = alone();
    let _disk = cold();
    for round in 0..3 {
        let (mut scan, before) = (Scan::new(), reads());
        for block in 0..HOT_PAGES {
            let page = scan.read(PageId::new(HOT, block)).unwrap();
            assert_eq!(number(&page), block);
        }
        let read = reads() - before;
        assert_eq!(read, if round == 0 { u64::from(HOT_PAGES) } else { 0 });
    }
}

#[test]
fn random_access_to_ten_times_the_pool_is_right_and_steady() {
    let _alone = alone();
    let disk = cold();
    let mut random = Random::new(1);
    let mut model = vec![0_u64; PAGES as usize];
    let mut round = |count: u64| {
        let before = disk.counts();
        for _ in 0..count {
            let block = random.below(u64::from(PAGES)) as u32;
            let id = PageId::new(LARGE, block);
            if random.below(2) == 0 {
                let mut mtx = MiniTx::begin(0);
                let slot = mtx.latch(id).unwrap();
                let value = random.next_u64();
                mtx.write(slot, 300, &value.to_le_bytes());
                mtx.commit().unwrap();
                model[block as usize] = value;
            }
            let page = read_page(id).unwrap();
            assert_eq!(number(&page), block);
            assert_eq!(pg_page::get_u64(&page[..], 300), model[block as usize]);
            drop(page);
            let log = pg_wal_port::stats();
            if log.used > log.size / 2 {
                pg_buffer_port::checkpoint().unwrap();
            }
        }
        let after = disk.counts();
        (after.reads - before.reads, after.writes - before.writes)
    };
    round(2_000);
    let (first, later) = (round(4_000), round(4_000));
    let close = |a: u64, b: u64| a.abs_diff(b) * 20 < a.max(b);
    assert!(close(first.0, later.0), "reads: {first:?}, {later:?}");
    assert!(close(first.1, later.1), "writes: {first:?}, {later:?}");
    // Nine in ten are not in memory, and each of these is read once.
    assert!((3_300..3_800).contains(&later.0), "{later:?}");
    assert_eq!(under_way().unwrap(), Default::default());
}

/// Waits until nobody reads ahead any more.
fn settle() {
    while under_way().unwrap() != Default::default() {
        std::thread::yield_now();
    }
}

#[test]
fn a_scan_finds_its_pages_read_ahead_and_each_is_read_once() {
    let _alone = alone();
    let disk = cold();
    pg_buffer_port::run_background().unwrap();
    let before = (disk.counts(), stats().unwrap());
    let mut scan = Scan::new();
    for block in 0..PAGES {
        let page = scan.read(PageId::new(LARGE, block)).unwrap();
        assert_eq!(number(&page), block);
        drop(page);
        settle();
    }
    let ahead = stats().unwrap().read_ahead - before.1.read_ahead;
    assert_eq!(disk.counts().reads - before.0.reads, u64::from(PAGES));
    // All but those that showed that it is a scan.
    assert_eq!(ahead, u64::from(PAGES) - 2);
    pg_buffer_port::shut_down().unwrap();
}

#[test]
fn a_scan_keeps_several_requests_under_way() {
    let _alone = alone();
    let disk = cold();
    pg_buffer_port::run_background().unwrap();
    let mut scan = Scan::new();
    for block in 0..12 {
        drop(scan.read(PageId::new(LARGE, block)).unwrap());
        settle();
    }
    // In a pool of 80 frames five pages are wanted ahead. Two are in memory yet, and
    // the four others meet a disk that does nothing for now.
    disk.hold(Op::Read);
    drop(scan.read(PageId::new(LARGE, 12)).unwrap());
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while disk.held() < 4 {
        assert!(std::time::Instant::now() < patience, "{}", disk.held());
        std::thread::yield_now();
    }
    disk.release();
    for block in 13..PAGES {
        let page = scan.read(PageId::new(LARGE, block)).unwrap();
        assert_eq!(number(&page), block);
    }
    settle();
    pg_buffer_port::shut_down().unwrap();
}

#[test]
fn a_checkpoint_writes_neighbours_together() {
    let _alone = alone();
    let disk = SimDisk::new(48 << 20);
    open(&disk, OPTIONS).unwrap();
    fill(LARGE, 60);
    let change = |block: u32| {
        let mut mtx = MiniTx::begin(0);
        let slot = mtx.latch(PageId::new(LARGE, block)).unwrap();
        mtx.write(slot, 200, &[9; 8]);
        mtx.commit().unwrap();
    };
    // In an order of its own: it is the disk's that counts.
    (0..60).for_each(|n| change(n * 37 % 60));
    let (before, writes) = (stats().unwrap(), disk.counts().writes);
    pg_buffer_port::checkpoint().unwrap();
    let now = stats().unwrap();
    assert_eq!(now.checkpoint_pages - before.checkpoint_pages, 60);
    let requests = now.checkpoint_requests - before.checkpoint_requests;
    // Two batches of 32, each in one piece but for the ends of extents and the
    // 128 KiB that the disk takes at a time.
    assert!(requests <= 8, "{requests} requests");
    assert_eq!(now.write_requests - before.write_requests, requests);
    assert!(disk.counts().writes - writes <= 2 * requests);
    // Every other page has no neighbour.
    (0..30).for_each(|n| change(n * 2));
    let before = stats().unwrap();
    pg_buffer_port::checkpoint().unwrap();
    let now = stats().unwrap();
    assert_eq!(now.checkpoint_requests - before.checkpoint_requests, 30);
}

#[test]
fn nobody_waits_for_the_writes_of_a_checkpoint() {
    let _alone = alone();
    let disk = SimDisk::new(48 << 20);
    open(&disk, OPTIONS).unwrap();
    fill(LARGE, 60);
    let commit = |block: u32, value: u64| {
        let mut mtx = MiniTx::begin(0);
        let slot = mtx.latch(PageId::new(LARGE, block)).unwrap();
        mtx.write(slot, 200, &value.to_le_bytes());
        pg_wal_port::flush(mtx.commit().unwrap()).unwrap();
    };
    (0..60).for_each(|block| commit(block, 1));
    disk.hold(Op::Write);
    let (done, checkpoints) = (AtomicBool::new(false), stats().unwrap().checkpoints);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pg_buffer_port::checkpoint().unwrap();
            done.store(true, Ordering::SeqCst);
        });
        while disk.held() == 0 {
            std::thread::yield_now();
        }
        // Every page, also those on their way to the disk, and each twice: the
        // second time it is logged whole no more.
        for value in [2, 3] {
            (0..60).for_each(|block| commit(block, value));
        }
        assert!(!done.load(Ordering::SeqCst), "the checkpoint waits");
        assert_eq!(stats().unwrap().checkpoints, checkpoints);
        disk.release();
    });
    assert_eq!(stats().unwrap().checkpoints, checkpoints + 1);
    let again = SimDisk::from_image(disk.power_cut(0));
    open(&again, OPTIONS).unwrap();
    for block in 0..60 {
        let page = read_page(PageId::new(LARGE, block)).unwrap();
        assert_eq!(pg_page::get_u64(&page[..], 200), 3);
    }
}
