//! What an access to a page in memory costs with one, two and more threads:
//! `hits [ACCESSES]`. First each thread has pages of its own, then all have the same
//! one. The time of an access must not grow with the threads while there are as many
//! CPUs, and no lock may be waited for; on one page all CPUs meet in its own words.

use pg_buffer_port::{FileId, MiniTx, PageId, read_page};
use port::Options;
use sim_disk::SimDisk;
use std::time::Instant;

const FILE: FileId = FileId(4);
const PAGES: u32 = 1024;

fn main() {
    let words = std::env::args().nth(1);
    let accesses = words.and_then(|w| w.parse().ok()).unwrap_or(2_000_000);
    SimDisk::new(64 << 20).install();
    let options = Options::parse("buffers=16M log_size=16M");
    port::start(&pg_wal::CELL, &options).expect("pg_wal");
    port::start(&pg_buffer::CELL, &options).expect("pg_buffer");
    pg_buffer_port::open().expect("open");
    pg_buffer_port::create_file(&mut MiniTx::begin(0), FILE).expect("create");
    for _ in 0..PAGES {
        let mut mtx = MiniTx::begin(0);
        let (slot, _) = mtx.extend(FILE).expect("extend");
        mtx.init(slot, 1, 0);
        mtx.commit().expect("commit");
    }
    for (what, shared) in [("pages of its own", false), ("the same page", true)] {
        for threads in [1, 2, 4, 8] {
            let (spins, hits) = (sync::spins(), hits());
            let began = Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    scope.spawn(move || {
                        for access in 0..accesses {
                            let own = thread * (PAGES / 8) + access % (PAGES / 8);
                            let block = if shared { 7 } else { own };
                            drop(read_page(PageId::new(FILE, block)).expect("a page"));
                        }
                    });
                }
            });
            let took = began.elapsed().as_nanos() as f64;
            let count = self::hits() - hits;
            assert_eq!(
                count,
                u64::from(threads) * u64::from(accesses),
                "all are hits"
            );
            println!(
                "{threads} threads, {what}: {:.1} ns of a CPU an access, {:.1} M/s, {} looks at taken locks",
                took * cpus(threads) / count as f64,
                count as f64 * 1e3 / took,
                sync::spins() - spins,
            );
        }
    }
}

/// How many CPUs are at work.
fn cpus(threads: u32) -> f64 {
    let there = std::thread::available_parallelism().map_or(1, usize::from);
    f64::from(threads).min(there as f64)
}

fn hits() -> u64 {
    pg_buffer_port::stats().expect("stats").hits
}
