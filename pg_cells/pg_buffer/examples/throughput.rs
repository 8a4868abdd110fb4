//! How many small commits a second, by number of tasks, on a disk that takes a
//! while for each request: `throughput [LATENCY_US]`.

use pg_buffer_port::{FileId, MiniTx, PageId};
use port::Options;
use sim_disk::SimDisk;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn main() {
    let latency = std::env::args()
        .nth(1)
        .and_then(|w| w.parse().ok())
        .unwrap_or(100);
    let disk = SimDisk::new(256 << 20).latency(Duration::from_micros(latency));
    disk.install();
    let options = Options::parse("buffers=16M log_size=64M");
    port::start(&pg_wal::CELL, &options).expect("pg_wal");
    port::start(&pg_buffer::CELL, &options).expect("pg_buffer");
    pg_buffer_port::open().expect("open");
    pg_buffer_port::run_background().expect("background");
    let file = FileId(4);
    pg_buffer_port::create_file(&mut MiniTx::begin(0), file).expect("create");
    for _ in 0..64 {
        let mut mtx = MiniTx::begin(0);
        let (slot, _) = mtx.extend(file).expect("extend");
        mtx.init(slot, 1, 0);
        mtx.commit().expect("commit");
    }
    for tasks in [1, 2, 4, 8, 16, 32] {
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let flushes = pg_wal_port::stats().flushes;
        let start = Instant::now();
        std::thread::scope(|scope| {
            for task in 0..tasks {
                let (stop, done) = (&stop, &done);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let mut mtx = MiniTx::begin(5);
                        let slot = mtx.latch(PageId::new(file, task)).expect("latch");
                        mtx.write(slot, 100, &[1; 100]);
                        let lsn = mtx.commit().expect("commit");
                        pg_wal_port::flush(lsn).expect("flush");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            std::thread::sleep(Duration::from_secs(1));
            stop.store(true, Ordering::Relaxed);
        });
        let (commits, seconds) = (done.into_inner(), start.elapsed().as_secs_f64());
        let flushes = pg_wal_port::stats().flushes - flushes;
        let rate = commits as f64 / seconds;
        println!("{tasks:2} tasks: {rate:8.0} commits/s, {flushes} flushes");
    }
    pg_buffer_port::shut_down().expect("shut down");
}
