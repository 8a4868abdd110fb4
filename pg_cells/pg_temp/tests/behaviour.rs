//! Temporary files on a simulated disk: what is written is read, nothing is
//! left, and nobody else is in the way.

use pg_buffer_port::{FileId, MiniTx, PageId, create_file, drop_file, read_page, room};
use pg_temp_port::{BLOCK, TEMP, TempError, TempFile};
use port::{Birth, CellCode, CellRef, Options};
use sim_disk::{Random, SimDisk};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The ports are one per process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fresh(size: u64) -> SimDisk {
    let disk = SimDisk::new(size);
    start(&disk);
    disk
}

fn start(disk: &SimDisk) {
    disk.install();
    let options = Options::parse("buffers=640K log_size=4M");
    port::start(&pg_wal::CELL, &options).expect("pg_wal starts");
    port::start(&pg_buffer::CELL, &options).expect("pg_buffer starts");
    pg_buffer_port::open().expect("the database opens");
    port::start(&pg_temp::CELL, &options).expect("pg_temp starts");
}

fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.below(256) as u8).collect()
}

fn read_all(file: &mut TempFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0; 5000];
    loop {
        let count = file.read_at(bytes.len() as u64, &mut piece).unwrap();
        if count == 0 {
            return bytes;
        }
        bytes.extend_from_slice(&piece[..count]);
    }
}

#[test]
fn what_is_appended_is_read_back_and_all_space_is_given_back() {
    let _alone = alone();
    fresh(24 << 20);
    let mut files = Vec::new();
    for (seed, len) in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 77]
        .into_iter()
        .enumerate()
    {
        let bytes = content(seed as u64, len);
        let mut file = TempFile::create().unwrap();
        bytes.chunks(3001).for_each(|c| file.append(c).unwrap());
        file.finish().unwrap();
        files.push((file, bytes));
    }
    for (file, bytes) in &mut files {
        assert!(read_all(file) == *bytes);
        let mut piece = [0; 10];
        let at = bytes.len() / 2;
        let count = file.read_at(at as u64, &mut piece).unwrap();
        assert_eq!(piece[..count], bytes[at..at + count]);
    }
    let (used, extents) = pg_temp_port::state().unwrap().in_use();
    assert_eq!(used, 11 * BLOCK as u64);
    assert_eq!(room().unwrap().lent, extents);
    // What was read and is not wanted any more goes back early.
    let (file, bytes) = files.last_mut().unwrap();
    file.forget_before(3 * BLOCK as u64 + 5);
    let (less, _) = pg_temp_port::state().unwrap().in_use();
    assert_eq!(less, 8 * BLOCK as u64);
    let mut piece = [0; 100];
    assert_eq!(file.read_at(4 * BLOCK as u64, &mut piece), Ok(100));
    assert_eq!(piece[..], bytes[4 * BLOCK..4 * BLOCK + 100]);
    assert_eq!(file.read_at(5, &mut piece), Err(TempError::Io));
    drop(files);
    assert_eq!(pg_temp_port::state().unwrap().in_use(), (0, 0));
    assert_eq!(room().unwrap().lent, 0);
}

#[test]
fn tables_and_temporary_files_do_not_meet() {
    let _alone = alone();
    fresh(24 << 20);
    let bytes = content(7, 20 * BLOCK);
    let mut file = TempFile::create().unwrap();
    file.append(&bytes).unwrap();
    let table = FileId(8);
    create_file(&mut MiniTx::begin(0), table).unwrap();
    let mut blocks = 0;
    // Until the disk is full.
    loop {
        let mut mtx = MiniTx::begin(0);
        match mtx.extend(table) {
            Ok((slot, block)) => {
                mtx.init(slot, 1, 0);
                mtx.write(slot, 100, &block.to_le_bytes());
                mtx.commit().unwrap();
                blocks += 1;
            }
            Err(error) => {
                assert_eq!(error, pg_buffer_port::BufferError::DiskFull);
                break;
            }
        }
    }
    file.finish().unwrap();
    assert!(read_all(&mut file) == bytes);
    let mut other = TempFile::create().unwrap();
    assert_eq!(other.append(&bytes), Err(TempError::Full));
    drop((file, other));
    pg_buffer_port::checkpoint().unwrap();
    for block in 0..blocks {
        let page = read_page(PageId::new(table, block)).unwrap();
        assert_eq!(page[100..104], block.to_le_bytes());
    }
    // What was lent is the tables' again.
    let mut mtx = MiniTx::begin(0);
    mtx.extend(table).unwrap();
    mtx.commit().unwrap();
    drop_file(&mut MiniTx::begin(0), table).unwrap();
}

#[test]
fn the_pool_is_opened_anew_and_lent_extents_stay_lent() {
    let _alone = alone();
    let disk = fresh(24 << 20);
    let bytes = content(9, 9 * BLOCK);
    let mut file = TempFile::create().unwrap();
    file.append(&bytes).unwrap();
    file.finish().unwrap();
    let before = room().unwrap().lent;
    assert!(before > 0);
    // The cell behind it is born without the state: open files go on.
    start(&disk);
    assert_eq!(room().unwrap().lent, before);
    assert_eq!(pg_temp_port::state().unwrap().in_use(), (0, 0));
    assert!(read_all(&mut file) == bytes);
    drop(file);
    assert_eq!(room().unwrap().lent, 0);
}

/// The code of a cell that is linked into the test.
struct Linked;

impl CellCode for Linked {
    fn name(&self) -> &str {
        "pg_temp"
    }

    fn version(&self) -> &str {
        "test"
    }

    fn size(&self) -> usize {
        0
    }
}

/// Replaces the cell by a new instance of itself, in the steps of a swap.
fn swap() {
    let (options, deadline) = (Options::default(), || task_port::now() + 60_000_000_000);
    pg_temp_port::DOOR.close();
    pg_temp_port::DOOR.drain(deadline()).expect("drained");
    let state = pg_temp_port::DOOR.export().expect("a state");
    let states = state.map(|s| ("pg_temp", s)).into_iter().collect();
    let code = CellRef(Arc::new(Linked));
    let mut birth = Birth::new(code, &options, states);
    (pg_temp::CELL.birth)(&mut birth).expect("born");
    pg_temp_port::DOOR.flip().expect("flipped");
    pg_temp_port::DOOR.open();
    pg_temp_port::DOOR.retire(deadline()).expect("retired");
}

#[test]
fn a_swap_keeps_the_blocks_in_use() {
    let _alone = alone();
    fresh(24 << 20);
    let bytes = content(11, 3 * BLOCK);
    let mut file = TempFile::create().unwrap();
    file.append(&bytes).unwrap();
    swap();
    file.finish().unwrap();
    assert_eq!(pg_temp_port::state().unwrap().in_use().0, 3 * BLOCK as u64);
    assert!(read_all(&mut file) == bytes);
    drop(file);
    assert_eq!(pg_temp_port::state().unwrap().in_use(), (0, 0));
    assert!(TEMP.enter().is_ok());
}

#[test]
fn a_failing_device_is_reported() {
    let _alone = alone();
    let disk = fresh(24 << 20);
    let mut file = TempFile::create().unwrap();
    file.append(&content(1, BLOCK / 2)).unwrap();
    file.finish().unwrap();
    disk.inject(sim_disk::Fault {
        op: nvme_port::Op::Read,
        range: 0..24 << 20,
        times: 1,
    });
    let mut piece = [0; 10];
    assert_eq!(file.read_at(0, &mut piece), Err(TempError::Io));
    assert_eq!(file.read_at(0, &mut piece), Ok(10));
}
