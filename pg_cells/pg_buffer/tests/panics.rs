//! A cell panics while somebody changes what files there are: memory says what the
//! log says, as if nothing had been tried.

mod common;

use common::{alone, open};
use pg_buffer_port::{BufferError, FileId, MiniTx, PageId, blocks, create_file, drop_file};
use pg_buffer_port::{checkpoint, read_page, truncate};
use port::CrashKind;
use sim_disk::SimDisk;

const FILE: FileId = FileId(8);
const PAGES: u32 = 40;

/// A disk with a file, nothing of which was written yet.
fn begin() -> SimDisk {
    let disk = SimDisk::new(24 << 20);
    open(&disk, "buffers=640K log_size=4M").unwrap();
    create_file(&mut MiniTx::begin(0), FILE).unwrap();
    for _ in 0..PAGES {
        let mut mtx = MiniTx::begin(0);
        let (slot, block) = mtx.extend(FILE).unwrap();
        mtx.init(slot, 1, 0);
        mtx.write(slot, 100, &block.to_le_bytes());
        mtx.commit().unwrap();
    }
    disk
}

/// The log's cell panics at the next record, in the middle of `change`.
fn panic_within(change: impl FnOnce()) {
    pg_wal_port::DOOR.inject(CrashKind::Panic);
    task_port::gate(change).unwrap_err();
}

/// All pages of the file are there, in memory and, when it was written, on the disk.
fn is_whole(disk: &SimDisk) {
    let look = || {
        assert_eq!(blocks(FILE), Ok(PAGES));
        for block in 0..PAGES {
            let page = read_page(PageId::new(FILE, block)).unwrap();
            assert_eq!(pg_page::get_u32(&page[..], 100), block);
        }
    };
    look();
    checkpoint().unwrap();
    assert_eq!(pg_buffer_port::pins(), Ok(0));
    let copy = SimDisk::from_image(disk.image());
    open(&copy, "buffers=640K").unwrap();
    look();
}

#[test]
fn a_file_whose_drop_panics_is_there() {
    let _alone = alone();
    let disk = begin();
    panic_within(|| drop_file(&mut MiniTx::begin(0), FILE).unwrap());
    is_whole(&disk);
}

#[test]
fn a_file_whose_cut_panics_has_its_length() {
    let _alone = alone();
    let disk = begin();
    panic_within(|| truncate(&mut MiniTx::begin(0), FILE, 3).unwrap());
    is_whole(&disk);
    truncate(&mut MiniTx::begin(0), FILE, 3).unwrap();
    assert_eq!(blocks(FILE), Ok(3));
}

#[test]
fn a_page_whose_making_panics_is_not_there() {
    let _alone = alone();
    let disk = begin();
    panic_within(|| {
        MiniTx::begin(0).extend(FILE).unwrap();
    });
    let page = PageId::new(FILE, PAGES);
    assert_eq!(
        read_page(page).map(drop),
        Err(BufferError::NoSuchPage { page })
    );
    is_whole(&disk);
    let (_, block) = MiniTx::begin(0).extend(FILE).unwrap();
    assert_eq!(block, PAGES);
}

#[test]
fn a_file_whose_making_panics_is_not_there_and_its_room_is_free() {
    let _alone = alone();
    let disk = begin();
    let free = || pg_buffer_port::stats().unwrap().free_extents;
    let before = free();
    let other = FileId(12);
    panic_within(|| create_file(&mut MiniTx::begin(0), other).unwrap());
    assert!(blocks(other).is_err());
    assert_eq!(free(), before);
    is_whole(&disk);
    // All that is free can be had.
    let made = (0..before).take_while(|at| {
        let file = FileId(16 + 4 * *at as u32);
        create_file(&mut MiniTx::begin(0), file).is_ok()
    });
    assert_eq!(made.count() as u64, before);
}
