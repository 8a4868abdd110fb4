//! Many tasks at once: transfers between accounts, while cells are swapped, made
//! to fault, and the power fails.

mod common;

use common::{alone, open, start};
use pg_buffer_port::{BUFFER, BufferError, FileId, MiniTx, PageId, read_page};
use pg_wal_port::WAL;
use port::{Birth, Cell, CellCode, CellRef, CrashKind, Door, Options};
use sim_disk::{Random, SimDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const OPTIONS: &str = "buffers=640K log_size=4M log_buffer=512K";
const FILE: FileId = FileId(4);
/// More pages than frames.
const PAGES: u32 = 200;
const PER_PAGE: u64 = 20;
const THREADS: usize = 4;
const START: u64 = 1_000;

fn account(page: &pg_page::Page, at: usize) -> u64 {
    pg_page::get_u64(page, at)
}

fn lay_out() -> Result<(), BufferError> {
    let mut mtx = MiniTx::begin(0);
    pg_buffer_port::create_file(&mut mtx, FILE)?;
    drop(mtx);
    for _ in 0..PAGES {
        let mut mtx = MiniTx::begin(0);
        let (slot, _) = mtx.extend(FILE)?;
        mtx.init(slot, 1, 0);
        for n in 0..PER_PAGE {
            mtx.write(slot, 32 + n as usize * 8, &START.to_le_bytes());
        }
        pg_wal_port::flush(mtx.commit()?)?;
    }
    Ok(())
}

/// Where thread `t` counts its transfers: on page `t`.
const COUNTER: usize = 4000;

/// One transfer between two pages, counted on a third.
fn transfer(random: &mut Random, thread: usize) -> Result<(u64, pg_wal_port::Lsn), BufferError> {
    let mut mtx = MiniTx::begin(1);
    let (a, b) = (
        random.below(PAGES.into()) as u32,
        random.below(PAGES.into()) as u32,
    );
    let mut blocks = [a, b, thread as u32];
    blocks.sort_unstable();
    for block in blocks {
        mtx.latch(PageId::new(FILE, block))?;
    }
    let (from, to) = (
        mtx.latch(PageId::new(FILE, a))?,
        mtx.latch(PageId::new(FILE, b))?,
    );
    let own = mtx.latch(PageId::new(FILE, thread as u32))?;
    let mut place = || 32 + random.below(PER_PAGE) as usize * 8;
    let (x, y) = (place(), place());
    let amount = account(mtx.page(from), x).min(7);
    let less = account(mtx.page(from), x) - amount;
    mtx.write(from, x, &less.to_le_bytes());
    let more = account(mtx.page(to), y) + amount;
    mtx.write(to, y, &more.to_le_bytes());
    let count = account(mtx.page(own), COUNTER) + 1;
    mtx.write(own, COUNTER, &count.to_le_bytes());
    if random.below(10) == 0 {
        drop(mtx);
        return Ok((0, pg_wal_port::Lsn(0)));
    }
    Ok((count, mtx.commit()?))
}

fn total() -> u64 {
    let mut sum = 0;
    for block in 0..PAGES {
        let page = read_page(PageId::new(FILE, block)).unwrap();
        sum += (0..PER_PAGE)
            .map(|n| account(&page, 32 + n as usize * 8))
            .sum::<u64>();
    }
    sum
}

struct Load {
    stop: Arc<AtomicBool>,
    /// By thread, the highest count known to be durable.
    durable: Arc<[AtomicU64; THREADS]>,
    done: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<u64>>,
}

fn load(seed: u64) -> Load {
    let stop = Arc::new(AtomicBool::new(false));
    let durable: Arc<[AtomicU64; THREADS]> = Arc::default();
    let done = Arc::new(AtomicU64::new(0));
    let threads = (0..THREADS).map(|thread| {
        let (stop, durable, done) = (stop.clone(), durable.clone(), done.clone());
        std::thread::spawn(move || {
            let mut random = Random::new(seed * 100 + thread as u64);
            let mut faults = 0;
            while !stop.load(Ordering::SeqCst) {
                let step = || -> Result<(), BufferError> {
                    let (count, lsn) = transfer(&mut random, thread)?;
                    if count % 4 == 0 {
                        pg_wal_port::flush(lsn)?;
                        durable[thread].fetch_max(count, Ordering::SeqCst);
                    }
                    let page = PageId::new(FILE, random.below(PAGES.into()) as u32);
                    let page = read_page(page)?.unlatch();
                    assert_eq!(pg_page::header::kind(&page.read()), 1);
                    Ok(())
                };
                match task_port::gate(step) {
                    Ok(Ok(())) => drop(done.fetch_add(1, Ordering::SeqCst)),
                    Ok(Err(BufferError::Stopped | BufferError::Io { .. })) => break,
                    Ok(Err(error)) => panic!("{error}"),
                    Err(fault) => {
                        assert!(
                            fault.message.contains("crashed on command"),
                            "{}",
                            fault.message
                        );
                        faults += 1;
                    }
                }
            }
            assert!(task_port::with_ledger(|l| l.is_empty()));
            faults
        })
    });
    let threads = threads.collect();
    Load {
        stop,
        durable,
        done,
        threads,
    }
}

impl Load {
    fn join(self) -> (u64, [u64; THREADS]) {
        self.stop.store(true, Ordering::SeqCst);
        let faults = self
            .threads
            .into_iter()
            .map(|t| t.join().expect("a thread"))
            .sum();
        (
            faults,
            std::array::from_fn(|t| self.durable[t].load(Ordering::SeqCst)),
        )
    }
}

struct Code(&'static Cell);

impl CellCode for Code {
    fn name(&self) -> &str {
        self.0.name
    }
    fn version(&self) -> &str {
        self.0.version
    }
    fn size(&self) -> usize {
        0
    }
}

/// One swap, as the engine does it; the pause.
fn swap(cell: &'static Cell, door: &'static dyn Door) -> Duration {
    let options = Options::default();
    let start = Instant::now();
    door.close();
    door.drain(task_port::now() + 5_000_000_000).unwrap();
    let state = door.export().unwrap().expect("a state");
    let mut birth = Birth::new(
        CellRef(Arc::new(Code(cell))),
        &options,
        vec![(door.name(), state)],
    );
    (cell.birth)(&mut birth).unwrap();
    door.flip().unwrap();
    door.open();
    let pause = start.elapsed();
    door.retire(task_port::now() + 5_000_000_000).unwrap();
    pause
}

#[test]
fn swaps_under_load_lose_nothing() {
    let _alone = alone();
    let disk = SimDisk::new(24 << 20).threaded(3);
    open(&disk, OPTIONS).unwrap();
    pg_buffer_port::run_background().unwrap();
    lay_out().unwrap();
    let load = load(1);
    let mut pauses = Vec::new();
    for _ in 0..100 {
        let before = load.done.load(Ordering::SeqCst);
        pauses.push(swap(&pg_buffer::CELL, &BUFFER));
        pauses.push(swap(&pg_wal::CELL, &WAL));
        while load.done.load(Ordering::SeqCst) < before + 5 {
            std::thread::yield_now();
        }
    }
    let done = load.done.load(Ordering::SeqCst);
    load.join();
    pauses.sort_unstable();
    println!(
        "{done} transfers, 200 swaps, pause: median {:?}, longest {:?}",
        pauses[100], pauses[199]
    );
    assert_eq!(total(), START * PER_PAGE * u64::from(PAGES));
    assert_eq!(pg_buffer_port::pins().unwrap(), 0);
    pg_buffer_port::shut_down().unwrap();
}

#[test]
fn faults_of_the_cells_leak_nothing_and_undo_what_was_begun() {
    let _alone = alone();
    let disk = SimDisk::new(24 << 20).threaded(4);
    open(&disk, OPTIONS).unwrap();
    lay_out().unwrap();
    let load = load(2);
    for round in 0..200u32 {
        let door: &dyn Door = if round % 2 == 0 { &BUFFER } else { &WAL };
        door.inject(CrashKind::Panic);
        let before = load.done.load(Ordering::SeqCst);
        while load.done.load(Ordering::SeqCst) < before + 3 {
            std::thread::yield_now();
        }
        let log = pg_wal_port::stats();
        if log.used > log.size / 2 {
            let _ = task_port::gate(pg_buffer_port::checkpoint);
        }
    }
    let (faults, _) = load.join();
    assert!(faults > 50, "only {faults} faults");
    assert_eq!(total(), START * PER_PAGE * u64::from(PAGES));
    assert_eq!(pg_buffer_port::pins().unwrap(), 0);
}

#[test]
fn a_power_failure_under_load_keeps_what_was_acknowledged() {
    let _alone = alone();
    for seed in 0..8 {
        let disk = SimDisk::new(24 << 20).threaded(seed);
        open(&disk, OPTIONS).unwrap();
        lay_out().unwrap();
        pg_buffer_port::run_background().unwrap();
        let load = load(seed);
        std::thread::sleep(Duration::from_millis(100 + seed * 37));
        disk.fail_after(1 + seed * 3);
        while !disk.is_dead() {
            std::thread::yield_now();
        }
        let (_, durable) = load.join();
        let image = disk.power_cut(seed);
        // The old background tasks must not meet the new pool.
        let _ = pg_buffer_port::shut_down();
        std::thread::sleep(Duration::from_millis(250));
        let disk = SimDisk::from_image(image);
        start(&disk, OPTIONS);
        pg_buffer_port::open().unwrap();
        assert_eq!(total(), START * PER_PAGE * u64::from(PAGES), "seed {seed}");
        for (thread, durable) in durable.into_iter().enumerate() {
            let page = read_page(PageId::new(FILE, thread as u32)).unwrap();
            let found = account(&page, COUNTER);
            assert!(
                found >= durable,
                "seed {seed}: {found} of {durable} acknowledged"
            );
        }
    }
}

/// Grows a file with pages that say where they belong, cuts it, reads it, drops
/// it; again and again.
fn churn(
    file: FileId,
    seed: u64,
    stop: &AtomicBool,
    rounds: &AtomicU64,
) -> Result<(), BufferError> {
    let mut random = Random::new(seed);
    while !stop.load(Ordering::SeqCst) {
        pg_buffer_port::create_file(&mut MiniTx::begin(0), file)?;
        for _ in 0..1 + random.below(4) {
            for _ in 0..random.below(60) {
                let mut mtx = MiniTx::begin(0);
                let (slot, block) = mtx.extend(file)?;
                mtx.init(slot, 2, 0);
                mtx.write(slot, 32, &PageId::new(file, block).pack().to_le_bytes());
                mtx.commit()?;
            }
            for block in 0..pg_buffer_port::blocks(file)? {
                is_own(PageId::new(file, block))?;
            }
            let keep = random.below(u64::from(pg_buffer_port::blocks(file)?) + 1);
            pg_buffer_port::truncate(&mut MiniTx::begin(0), file, keep as u32)?;
            assert_eq!(pg_buffer_port::blocks(file)?, keep as u32);
        }
        pg_buffer_port::drop_file(&mut MiniTx::begin(0), file)?;
        rounds.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Whether the page is its own or still zero.
fn is_own(id: PageId) -> Result<(), BufferError> {
    let page = read_page(id)?;
    let found = pg_page::get_u64(&page[..], 32);
    let fresh = page[24..].iter().all(|b| *b == 0);
    assert!(
        found == id.pack() || fresh,
        "{id} holds {}",
        PageId::unpack(found)
    );
    Ok(())
}

#[test]
fn files_that_come_and_go_never_show_each_others_pages() {
    let _alone = alone();
    for seed in 0..4 {
        let disk = SimDisk::new(8 << 20).threaded(seed);
        open(&disk, "buffers=640K log_size=2M log_buffer=512K").unwrap();
        pg_buffer_port::run_background().unwrap();
        let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let churners: Vec<_> = (0..3u32)
                .map(|n| {
                    let (stop, rounds) = (&stop, &rounds);
                    let seed = seed + u64::from(n);
                    scope.spawn(move || churn(FileId(100 + 4 * n), seed, stop, rounds))
                })
                .collect();
            let reader = scope.spawn(|| {
                let mut random = Random::new(seed);
                while !stop.load(Ordering::SeqCst) {
                    let file = FileId(100 + 4 * random.below(3) as u32);
                    match is_own(PageId::new(file, random.below(60) as u32)) {
                        Ok(()) | Err(BufferError::NoSuchPage { .. }) => {}
                        Err(error) => assert!(disk.is_dead(), "{error}"),
                    }
                }
            });
            let checkpoints = scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let done = pg_buffer_port::checkpoint();
                    assert!(done.is_ok() || disk.is_dead(), "{done:?}");
                }
            });
            let start = Instant::now();
            while rounds.load(Ordering::SeqCst) < 12 && start.elapsed().as_secs() < 30 {
                std::thread::sleep(Duration::from_millis(10));
            }
            if seed % 2 == 1 {
                disk.fail_after(20);
                while !disk.is_dead() {
                    std::thread::yield_now();
                }
            }
            stop.store(true, Ordering::SeqCst);
            reader.join().expect("the reader");
            checkpoints.join().expect("checkpoints");
            let ends = churners.into_iter().map(|c| c.join().expect("a churner"));
            let ends: Result<Vec<_>, _> = ends.collect();
            assert!(ends.is_ok() || disk.is_dead(), "{ends:?}");
        });
        assert!(rounds.into_inner() > 0);
        // On a dead disk one of the loops tries to start storage anew; what it holds
        // ends with it.
        pg_buffer_port::stop_background();
        let end = Instant::now() + Duration::from_secs(60);
        while pg_buffer_port::pins().unwrap() > 0 {
            assert!(Instant::now() < end, "pins at rest");
            std::thread::yield_now();
        }
        let image = disk.power_cut(seed);
        let _ = pg_buffer_port::shut_down();
        std::thread::sleep(Duration::from_millis(250));
        open(&SimDisk::from_image(image), OPTIONS).unwrap();
        for (file, blocks) in pg_buffer_port::files().unwrap() {
            for block in 0..blocks {
                is_own(PageId::new(file, block)).unwrap();
            }
        }
    }
}
