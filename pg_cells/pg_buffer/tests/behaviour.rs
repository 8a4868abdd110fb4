//! What the calls promise, one promise a test.

mod common;

use common::{alone, open, start};
use nvme_port::Op;
use pg_buffer_port::{
    BufferError, FileId, MAX_PAGES, MiniTx, PageId, blocks, create_file, drop_file, prefetch,
    read_page, set_hint, truncate,
};
use pg_wal_port::{Lsn, WalError};
use sim_disk::{Fault, SimDisk};

const OPTIONS: &str = "buffers=640K log_size=4M";
const FILE: FileId = FileId(8);

fn fresh() -> SimDisk {
    let disk = SimDisk::new(24 << 20);
    open(&disk, OPTIONS).unwrap();
    disk
}

/// A file of `count` pages, each with its number at 100.
fn fill(file: FileId, count: u32) {
    create_file(&mut MiniTx::begin(0), file).unwrap();
    grow(file, count);
}

fn grow(file: FileId, count: u32) {
    for _ in 0..count {
        let mut mtx = MiniTx::begin(0);
        let (slot, block) = mtx.extend(file).unwrap();
        mtx.init(slot, 1, 0);
        mtx.write(slot, 100, &block.to_le_bytes());
        mtx.commit().unwrap();
    }
}

fn number(file: FileId, block: u32) -> u32 {
    pg_page::get_u32(&read_page(PageId::new(file, block)).unwrap()[..], 100)
}

fn write(block: u32, at: usize, bytes: &[u8]) -> pg_buffer_port::Lsn {
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PageId::new(FILE, block)).unwrap();
    mtx.write(slot, at, bytes);
    mtx.commit().unwrap()
}

/// Where on the disk the page with this mark at `at` lies.
fn find(disk: &SimDisk, at: usize, mark: &[u8]) -> u64 {
    let image = disk.image();
    let whole = image.bytes(0..image.len());
    let found = whole
        .windows(mark.len())
        .rposition(|w| w == mark)
        .expect("on the disk");
    (found - at) as u64
}

#[test]
fn a_fault_that_skips_the_frame_puts_pages_back() {
    let _alone = alone();
    fresh();
    fill(FILE, 2);
    let fault = task_port::gate(|| {
        let mut mtx = MiniTx::begin(0);
        let slot = mtx.latch(PageId::new(FILE, 0)).unwrap();
        mtx.write(slot, 100, &[0xFF; 500]);
        mtx.init(slot, 9, 64);
        mtx.fill(slot, 50, 8000, 3);
        let other = mtx.latch(PageId::new(FILE, 1)).unwrap();
        mtx.shift(other, 24, 4000, 1000);
        let read = read_page(PageId::new(FileId::SPACE_MAP, 0)).unwrap();
        // As if a CPU fault had skipped the frame: nothing is dropped.
        core::mem::forget((mtx, read));
        panic!("a fault");
    });
    assert_eq!(fault.unwrap_err().released, 2);
    assert_eq!((number(FILE, 0), number(FILE, 1)), (0, 1));
    let page = read_page(PageId::new(FILE, 0)).unwrap();
    assert_eq!(pg_page::header::kind(&page), 1);
    assert!(page[104..].iter().all(|b| *b == 0));
    drop(page);
    assert_eq!(pg_buffer_port::pins().unwrap(), 0);
    // The latches are free again.
    write(0, 200, b"x");
    write(1, 200, b"x");
}

#[test]
fn changes_outside_the_page_fail_at_the_commit_and_are_undone() {
    let _alone = alone();
    fresh();
    fill(FILE, 1);
    for bad in 0..4 {
        let mut mtx = MiniTx::begin(0);
        let slot = mtx.latch(PageId::new(FILE, 0)).unwrap();
        mtx.write(slot, 100, &[7; 4]);
        match bad {
            0 => mtx.write(slot, 8190, &[1; 3]),
            1 => mtx.write(slot, 1 << 40, &[1]),
            2 => mtx.shift(slot, 0, 8000, 200),
            _ => mtx.fill(slot, 24, 9000, 1),
        }
        let page = PageId::new(FILE, 0);
        assert_eq!(mtx.commit(), Err(BufferError::Corrupt { page }));
        assert_eq!(number(FILE, 0), 0);
    }
}

#[test]
fn limits_and_absent_pages_are_errors() {
    let _alone = alone();
    fresh();
    fill(FILE, 40);
    let page = PageId::new(FILE, 40);
    assert_eq!(
        read_page(page).unwrap_err(),
        BufferError::NoSuchPage { page }
    );
    let mut mtx = MiniTx::begin(0);
    assert_eq!(mtx.latch(page), Err(BufferError::NoSuchPage { page }));
    for block in 0..MAX_PAGES as u32 {
        mtx.latch(PageId::new(FILE, block)).unwrap();
    }
    assert_eq!(mtx.latch(PageId::new(FILE, 39)), Err(BufferError::TooLarge));
    assert!(mtx.latch(PageId::new(FILE, 3)).is_ok(), "latched already");
    drop(mtx);
    // Released pages do not count.
    let mut mtx = MiniTx::begin(0);
    for block in 0..40 {
        let slot = mtx.latch(PageId::new(FILE, block)).unwrap();
        assert_eq!(mtx.page_id(slot).block, block);
        if block % 5 > 0 {
            mtx.release(slot);
        } else {
            mtx.write(slot, 100, &(block + 500).to_le_bytes());
        }
    }
    mtx.commit().unwrap();
    for block in 0..40 {
        let added = if block % 5 == 0 { 500 } else { 0 };
        assert_eq!(number(FILE, block), block + added);
    }
    let nobody = PageId::new(FileId(400), 0);
    assert_eq!(
        blocks(FileId(400)),
        Err(BufferError::NoSuchPage { page: nobody })
    );
    let mut mtx = MiniTx::begin(0);
    let twice = create_file(&mut mtx, FILE);
    assert_eq!(twice, Err(BufferError::FileExists { file: FILE }));
    drop_file(&mut mtx, FileId(400)).unwrap();
}

#[test]
fn another_task_cannot_latch_and_a_released_page_is_free() {
    let _alone = alone();
    fresh();
    fill(FILE, 1);
    let id = PageId::new(FILE, 0);
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(id).unwrap();
    let other = || std::thread::spawn(move || MiniTx::begin(0).try_latch(id).unwrap().is_some());
    assert!(!other().join().unwrap());
    mtx.release(slot);
    assert!(other().join().unwrap());
    let again = mtx.latch(id).unwrap();
    mtx.write(again, 100, &[1]);
    mtx.release(again);
    assert!(!other().join().unwrap(), "changed pages are not released");
}

#[test]
fn hints_do_not_dirty_and_need_a_lone_reader() {
    let _alone = alone();
    fresh();
    fill(FILE, 1);
    pg_buffer_port::checkpoint().unwrap();
    let id = PageId::new(FILE, 0);
    let mut page = read_page(id).unwrap();
    assert!(set_hint(&mut page, 200, 0x8001));
    assert!(set_hint(&mut page, 200, 0x0010));
    assert_eq!(pg_page::get_u16(&page[..], 200), 0x8011);
    assert_eq!(pg_buffer_port::stats().unwrap().dirty, 0);
    let (ready, go) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _page = read_page(id).unwrap();
            ready.wait();
            go.wait();
        });
        ready.wait();
        assert!(!set_hint(&mut page, 200, 0x0100));
        go.wait();
    });
    assert_eq!(pg_page::get_u16(&page[..], 200), 0x8011);
}

#[test]
fn files_grow_over_extents_shrink_and_give_their_room_back() {
    let _alone = alone();
    let disk = fresh();
    let free = pg_buffer_port::stats().unwrap().free_extents;
    fill(FILE, 100);
    assert_eq!(blocks(FILE), Ok(100));
    assert_eq!(pg_buffer_port::stats().unwrap().free_extents, free - 7);
    let mut mtx = MiniTx::begin(0);
    truncate(&mut mtx, FILE, 200).unwrap();
    assert_eq!(blocks(FILE), Ok(100));
    truncate(&mut mtx, FILE, 33).unwrap();
    assert_eq!(blocks(FILE), Ok(33));
    let gone = PageId::new(FILE, 33);
    assert_eq!(
        read_page(gone).unwrap_err(),
        BufferError::NoSuchPage { page: gone }
    );
    assert_eq!(number(FILE, 32), 32);
    drop(mtx);
    // What grows there again is zero, not what was there before.
    let mut mtx = MiniTx::begin(0);
    let (slot, block) = mtx.extend(FILE).unwrap();
    assert_eq!(block, 33);
    assert!(mtx.page(slot)[24..].iter().all(|b| *b == 0));
    truncate(&mut MiniTx::begin(0), FileId(404), 0).unwrap();
    drop(mtx);
    truncate(&mut MiniTx::begin(0), FILE, 0).unwrap();
    assert_eq!(blocks(FILE), Ok(0));
    drop_file(&mut MiniTx::begin(0), FILE).unwrap();
    assert_eq!(pg_buffer_port::stats().unwrap().free_extents, free);
    fill(FILE, 3);
    pg_buffer_port::shut_down().unwrap();
    open(&SimDisk::from_image(disk.image()), OPTIONS).unwrap();
    assert_eq!(blocks(FILE), Ok(3));
    assert_eq!(pg_buffer_port::stats().unwrap().free_extents, free - 1);
}

#[test]
fn a_full_disk_is_an_error_and_not_the_end() {
    let _alone = alone();
    open(&SimDisk::new(4 << 20), "buffers=640K log_size=512K").unwrap();
    create_file(&mut MiniTx::begin(0), FILE).unwrap();
    let error = loop {
        let log = pg_wal_port::stats();
        if log.used > log.size / 2 {
            pg_buffer_port::checkpoint().unwrap();
        }
        if let Err(error) = MiniTx::begin(0).extend(FILE) {
            break error;
        }
    };
    assert_eq!(error, BufferError::DiskFull);
    assert_eq!(pg_buffer_port::stats().unwrap().free_extents, 0);
    drop_file(&mut MiniTx::begin(0), FILE).unwrap();
    fill(FILE, 20);
    assert_eq!(number(FILE, 19), 19);
}

#[test]
fn damaged_pages_are_noticed_when_read() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 20);
    write(7, 3000, b"a mark to be found");
    pg_buffer_port::shut_down().unwrap();
    let place = find(&disk, 3000, b"a mark to be found");
    let again = SimDisk::from_image(disk.image());
    again.damage(place + 3000, b"A");
    open(&again, OPTIONS).unwrap();
    let page = PageId::new(FILE, 7);
    assert_eq!(read_page(page).unwrap_err(), BufferError::Corrupt { page });
    assert_eq!(read_page(page).unwrap_err(), BufferError::Corrupt { page });
    assert_eq!(number(FILE, 6), 6);
    // A page that stands where another belongs is damaged, too.
    let image = again.image();
    let copy = image.bytes(place - 8192..place).to_vec();
    again.damage(place, &copy);
    assert_eq!(read_page(page).unwrap_err(), BufferError::Corrupt { page });
    assert_eq!(pg_buffer_port::pins().unwrap(), 0);
}

#[test]
fn a_torn_space_map_hides_no_page_that_the_log_restores() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 20);
    write(7, 3000, b"a mark to be found");
    pg_buffer_port::checkpoint().unwrap();
    // In the log: page 7 whole, the map whole, then a change of page 7.
    write(7, 3100, b"first");
    grow(FILE, 1);
    pg_wal_port::flush(write(7, 3200, b"second")).unwrap();
    let place = find(&disk, 3000, b"a mark to be found");
    let map = pg_wal_port::superblock().unwrap().map_offset;
    // The power goes while both are being written.
    let again = SimDisk::from_image(disk.image());
    again.damage(place + 4096, b"torn");
    again.damage(map + 4096, b"torn");
    open(&again, OPTIONS).unwrap();
    let page = read_page(PageId::new(FILE, 7)).unwrap();
    assert_eq!(page[3000..3005], *b"a mar");
    assert_eq!(
        (&page[3100..3105], &page[3200..3206]),
        (&b"first"[..], &b"second"[..])
    );
    assert_eq!(blocks(FILE), Ok(21));
}

#[test]
fn a_page_that_was_replayed_and_cut_off_again_is_not_there() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 20);
    truncate(&mut MiniTx::begin(0), FILE, 5).unwrap();
    fill(FileId(12), 3);
    drop_file(&mut MiniTx::begin(0), FileId(12)).unwrap();
    pg_wal_port::flush(pg_wal_port::insert_position()).unwrap();
    // All of it is in the log alone.
    open(&SimDisk::from_image(disk.image()), OPTIONS).unwrap();
    assert_eq!(number(FILE, 4), 4);
    for page in [PageId::new(FILE, 5), PageId::new(FileId(12), 0)] {
        let absent = BufferError::NoSuchPage { page };
        assert_eq!(read_page(page).err(), Some(absent));
        assert_eq!(MiniTx::begin(0).latch(page).err(), Some(absent));
    }
}

#[test]
fn read_errors_pass_when_the_disk_recovers() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 4);
    pg_buffer_port::shut_down().unwrap();
    open(&disk, OPTIONS).unwrap();
    disk.inject(Fault {
        op: Op::Read,
        range: 0..u64::MAX,
        times: 1,
    });
    let page = PageId::new(FILE, 2);
    assert_eq!(read_page(page).unwrap_err(), BufferError::Io { page });
    assert_eq!(number(FILE, 2), 2);
    assert_eq!(pg_buffer_port::pins().unwrap(), 0);
}

#[test]
fn a_failed_page_write_leaves_the_page_dirty() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 4);
    disk.inject(Fault {
        op: Op::Write,
        range: 0..u64::MAX,
        times: 1,
    });
    let before = pg_wal_port::superblock().unwrap();
    assert!(matches!(
        pg_buffer_port::checkpoint(),
        Err(BufferError::Io { .. })
    ));
    assert_eq!(pg_wal_port::superblock().unwrap(), before);
    assert!(pg_buffer_port::stats().unwrap().dirty > 0);
    pg_buffer_port::checkpoint().unwrap();
    assert_eq!(pg_buffer_port::stats().unwrap().dirty, 0);
    let again = SimDisk::from_image(disk.power_cut(0));
    open(&again, OPTIONS).unwrap();
    assert_eq!(number(FILE, 3), 3);
}

#[test]
fn after_a_failed_log_write_nothing_is_acknowledged() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 4);
    let durable = write(0, 100, &77u32.to_le_bytes());
    pg_wal_port::flush(durable).unwrap();
    let lost = write(1, 100, &78u32.to_le_bytes());
    disk.inject(Fault {
        op: Op::WriteDurable,
        range: 0..u64::MAX,
        times: 1,
    });
    assert_eq!(pg_wal_port::flush(lost), Err(WalError::Failed));
    assert_eq!(pg_wal_port::flush(lost), Err(WalError::Failed));
    assert_eq!(pg_wal_port::flush(durable), Ok(()));
    let mut mtx = MiniTx::begin(0);
    let slot = mtx.latch(PageId::new(FILE, 2)).unwrap();
    mtx.write(slot, 100, &[9; 4]);
    assert_eq!(mtx.commit(), Err(BufferError::Stopped));
    assert_eq!(number(FILE, 2), 2);
    assert!(pg_buffer_port::checkpoint().is_err());
    open(&SimDisk::from_image(disk.power_cut(3)), OPTIONS).unwrap();
    assert_eq!((number(FILE, 0), number(FILE, 1)), (77, 1));
}

/// Writes records to page 0 until one ends exactly at `end`; none is flushed.
fn log_up_to(end: u64) {
    write(0, 104, &[1]);
    loop {
        let gap = end - pg_wal_port::insert_position().0;
        if gap < 7_000 {
            // Header 40, one block 10, one write operation 6.
            let lsn = write(0, 104, &vec![1; gap as usize - 56]);
            assert_eq!(lsn.0, end);
            return;
        }
        write(0, 104, &[1; 3_000]);
    }
}

#[test]
fn a_record_from_behind_an_earlier_end_is_not_replayed() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 4);
    pg_buffer_port::checkpoint().unwrap();
    let lost = pg_wal_port::insert_position().0;
    let boundary = (lost + 40_000).next_multiple_of(4096);
    write(1, 100, &1u32.to_le_bytes());
    log_up_to(boundary);
    let ghost = write(1, 100, &4242u32.to_le_bytes());
    pg_wal_port::flush(ghost).unwrap();
    // The power fails, and of all these writes that of the first block is lost.
    let again = SimDisk::from_image(disk.power_cut(0));
    let block = lost / 4096 * 4096;
    again.damage(pg_page::superblock::LOG_OFFSET + block, &[0; 4096]);
    let report = open(&again, OPTIONS).unwrap();
    assert_eq!((report.to.0, report.records, number(FILE, 1)), (lost, 0, 1));
    // The new life's records end where the old one starts, in its right place.
    log_up_to(boundary);
    pg_wal_port::flush(Lsn(boundary)).unwrap();
    let report = open(&SimDisk::from_image(again.power_cut(0)), OPTIONS).unwrap();
    assert_eq!((report.to.0, number(FILE, 1)), (boundary, 1));
}

/// The same when the power fails once more before the new life's first record:
/// the old one then stands just where recovery begins.
#[test]
fn a_record_from_behind_the_end_is_not_the_first_of_a_new_start() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 4);
    pg_buffer_port::checkpoint().unwrap();
    let boundary = (pg_wal_port::insert_position().0 + 40_000).next_multiple_of(4096);
    write(1, 100, &1u32.to_le_bytes());
    log_up_to(boundary - 1_000);
    log_up_to(boundary);
    let ghost = write(1, 100, &4242u32.to_le_bytes());
    pg_wal_port::flush(ghost).unwrap();
    let again = SimDisk::from_image(disk.power_cut(0));
    again.damage(pg_page::superblock::LOG_OFFSET + boundary - 500, &[0; 8]);
    let report = open(&again, OPTIONS).unwrap();
    assert!((boundary - 4_000..boundary).contains(&report.to.0));
    assert_eq!(number(FILE, 1), 1);
    let report = open(&SimDisk::from_image(again.power_cut(0)), OPTIONS).unwrap();
    assert_eq!((report.from.0, report.records), (boundary, 0));
    assert_eq!(number(FILE, 1), 1);
}

#[test]
fn pages_asked_for_ahead_are_read_together() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 60);
    pg_buffer_port::shut_down().unwrap();
    open(&disk, OPTIONS).unwrap();
    pg_buffer_port::run_background().unwrap();
    let before = pg_buffer_port::stats().unwrap().reads;
    let pages: Vec<_> = (0..60).map(|block| PageId::new(FILE, block)).collect();
    prefetch(&pages);
    while pg_buffer_port::stats().unwrap().reads < before + 60 {
        std::thread::yield_now();
    }
    let now = disk.counts().reads;
    for block in 0..60 {
        assert_eq!(number(FILE, block), block);
    }
    assert_eq!(disk.counts().reads, now);
    pg_buffer_port::shut_down().unwrap();
}

#[test]
fn a_pool_that_lost_its_state_is_rebuilt_from_the_living_log() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 30);
    pg_buffer_port::checkpoint().unwrap();
    let unflushed = write(3, 100, &333u32.to_le_bytes());
    assert!(pg_wal_port::flushed() < unflushed);
    let mut pending = MiniTx::begin(0);
    assert!(pending.latch(PageId::new(FileId(404), 0)).is_err());
    // As after a fault: a new cell without its predecessor's state.
    port::start(&pg_buffer::CELL, &port::Options::parse(OPTIONS)).unwrap();
    let page = PageId::new(FILE, 3);
    assert_eq!(read_page(page).unwrap_err(), BufferError::NotRunning);
    let report = pg_buffer_port::open().unwrap();
    assert!(!report.already && report.records == 1);
    assert_eq!(number(FILE, 3), 333);
    // One begun before belongs to the pool that is gone.
    let slot = pending.latch(page).unwrap();
    pending.write(slot, 100, &[0; 4]);
    assert_eq!(pending.commit(), Err(BufferError::Stopped));
    assert_eq!(number(FILE, 3), 333);
    pg_wal_port::flush(write(3, 100, &334u32.to_le_bytes())).unwrap();
    // And both lost theirs: what was durable is there.
    start(&disk, OPTIONS);
    pg_buffer_port::open().unwrap();
    assert_eq!(number(FILE, 3), 334);
    assert!(pg_buffer_port::open().unwrap().already);
}

/// A page of the space map that a power cut has torn is whole again only where
/// the log has its image; what the log says of other pages before that counts.
#[test]
fn a_torn_space_map_does_not_hide_what_was_logged_before_its_image() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 4);
    pg_buffer_port::checkpoint().unwrap();
    write(2, 100, b"before the image");
    create_file(&mut MiniTx::begin(0), FileId(400)).unwrap();
    pg_wal_port::flush(pg_wal_port::insert_position()).unwrap();
    let place = pg_wal_port::superblock().unwrap().map_offset;
    disk.damage(place + 512, &[0x5A; 512]);
    let again = SimDisk::from_image(disk.power_cut(0));
    open(&again, OPTIONS).unwrap();
    let page = read_page(PageId::new(FILE, 2)).unwrap();
    assert_eq!(&page[100..116], b"before the image");
    drop(page);
    assert_eq!(blocks(FileId(400)), Ok(0));
}

/// What a disk has lost when a flush fails, nobody knows: nothing is read or
/// acknowledged any more, and the next start replays from the last checkpoint.
#[test]
fn after_a_failed_flush_nothing_is_trusted() {
    let _alone = alone();
    let disk = fresh();
    fill(FILE, 4);
    pg_buffer_port::checkpoint().unwrap();
    let redo = pg_wal_port::superblock().unwrap().redo;
    let durable = write(1, 100, &77u32.to_le_bytes());
    pg_wal_port::flush(durable).unwrap();
    disk.inject(Fault {
        op: Op::Flush,
        range: 0..u64::MAX,
        times: 1,
    });
    assert!(pg_buffer_port::checkpoint().is_err());
    assert_eq!(pg_wal_port::superblock().unwrap().redo, redo);
    assert!(read_page(PageId::new(FILE, 1)).is_err());
    assert!(pg_buffer_port::checkpoint().is_err());
    assert_eq!(
        pg_wal_port::flush(pg_wal_port::insert_position()),
        Ok(()),
        "it was durable before"
    );
    assert!(pg_wal_port::has_failed());
    open(&SimDisk::from_image(disk.power_cut(0)), OPTIONS).unwrap();
    assert_eq!(number(FILE, 1), 77);
}

/// Either copy of the superblock suffices, also after the log before the older
/// checkpoint was used again.
#[test]
fn either_copy_of_the_superblock_may_be_damaged() {
    let _alone = alone();
    for copy in pg_page::superblock::COPIES {
        let disk = SimDisk::new(24 << 20);
        open(&disk, "buffers=640K log_size=256K").unwrap();
        fill(FILE, 4);
        for round in 0..40u32 {
            for _ in 0..200 {
                write(1, 100, &round.to_le_bytes());
            }
            pg_buffer_port::checkpoint().unwrap();
        }
        pg_wal_port::flush(write(1, 100, &77u32.to_le_bytes())).unwrap();
        disk.damage(copy + 100, &[0xA5]);
        open(&SimDisk::from_image(disk.power_cut(0)), OPTIONS).unwrap();
        assert_eq!(number(FILE, 1), 77);
    }
}

/// Who waits for log space goes on when a checkpoint has failed, and fails once
/// the region is full; a checkpoint that succeeds ends that.
#[test]
fn failed_checkpoints_let_nobody_wait_for_ever() {
    let _alone = alone();
    let disk = SimDisk::new(24 << 20);
    open(&disk, "buffers=640K log_size=256K").unwrap();
    fill(FILE, 4);
    let place = pg_wal_port::superblock().unwrap().data_offset;
    disk.inject(Fault {
        op: Op::Write,
        range: place..u64::MAX,
        times: u32::MAX,
    });
    let worker = std::thread::spawn(|| {
        loop {
            let mut mtx = MiniTx::begin(0);
            let slot = mtx.latch(PageId::new(FILE, 1)).unwrap();
            mtx.write(slot, 100, &[7; 2000]);
            if let Err(error) = mtx.commit() {
                return error;
            }
        }
    });
    while !worker.is_finished() {
        assert!(pg_buffer_port::checkpoint().is_err());
    }
    assert_eq!(worker.join().unwrap(), BufferError::DiskFull);
    disk.heal();
    pg_buffer_port::checkpoint().unwrap();
    write(1, 100, &77u32.to_le_bytes());
}

/// A commit that fails has marked its pages. They are not written for that: the
/// log has no image of them, and hints would make the write a torn one.
#[test]
fn a_page_of_a_failed_commit_is_not_written() {
    let _alone = alone();
    let disk = SimDisk::new(24 << 20);
    open(&disk, "buffers=640K log_size=256K").unwrap();
    fill(FILE, 4);
    pg_buffer_port::checkpoint().unwrap();
    let mut page = read_page(PageId::new(FILE, 1)).unwrap();
    assert!(set_hint(&mut page, 200, 0x8001));
    drop(page);
    // Begun while there is room, so that none waits for it.
    let mut room: Vec<MiniTx> = (0..64).map(|_| MiniTx::begin(0)).collect();
    let mut change = |block: u32| {
        let mut mtx = room.pop().unwrap();
        let slot = mtx.latch(PageId::new(FILE, block)).unwrap();
        mtx.write(slot, 300, &[block as u8; 7_500]);
        mtx.commit()
    };
    while change(2).is_ok() {}
    assert_eq!(change(1), Err(BufferError::DiskFull));
    pg_buffer_port::checkpoint().unwrap();
    let before = disk.counts().writes;
    change(2).unwrap();
    pg_buffer_port::checkpoint().unwrap();
    assert_eq!(disk.counts().writes, before + 1, "page 2 alone");
    assert_eq!(read_page(PageId::new(FILE, 2)).unwrap()[300], 2);
    assert_eq!(read_page(PageId::new(FILE, 1)).unwrap()[300], 0);
    assert_eq!(pg_buffer_port::stats().unwrap().dirty, 0);
}
