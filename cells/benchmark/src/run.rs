//! Choosing, repeating and printing. A figure is the least of several rounds:
//! whatever disturbs a round, a tick or the host, only adds to it.

use alloc::string::String;
use alloc::vec::Vec;
use core::hint::black_box;

/// What a benchmark found: picoseconds, or what is in the way.
pub(crate) type Measured = Result<u64, String>;

/// A benchmark.
pub(crate) struct Bench {
    /// Its name; `bench=NAME` runs it alone.
    pub(crate) name: &'static str,
    /// Takes the time of one operation.
    pub(crate) run: fn() -> Measured,
}

const DONE: u32 = 0x10;
const FAILED: u32 = 0x11;
const ROUNDS: usize = 9;

/// Runs the benchmarks called `name`, or `all`, and ends the machine.
pub fn run(name: &str) {
    let all = [
        crate::calls::BENCHES,
        crate::tasks::BENCHES,
        crate::space::BENCHES,
        crate::swaps::BENCHES,
    ];
    let mut failed = false;
    for bench in all
        .into_iter()
        .flatten()
        .filter(|b| name == "all" || b.name == name)
    {
        let result = task_port::gate(bench.run).unwrap_or_else(|fault| Err(fault.message));
        match result {
            Ok(ps) => log::info!("bench {} {}.{:03} ns", bench.name, ps / 1000, ps % 1000),
            Err(why) => {
                failed = true;
                log::error!("bench {} failed: {why}", bench.name);
            }
        }
    }
    // The last lines must be out before the machine ends.
    task_port::sleep(20_000_000);
    unwind::exit(if failed { FAILED } else { DONE });
}

/// Picoseconds of one `body` among `count` in a row, less the loop around it.
pub(crate) fn per_call(count: u64, body: impl FnMut(u64)) -> u64 {
    let own = per_round(count, |i| {
        black_box(i);
    });
    per_round(count, body).saturating_sub(own)
}

/// Picoseconds of one `body` and its share of the loop.
pub(crate) fn per_round(count: u64, mut body: impl FnMut(u64)) -> u64 {
    (0..ROUNDS)
        .map(|_| {
            let started = task_port::now();
            for i in 0..count {
                body(black_box(i));
            }
            (task_port::now() - started) * 1000 / count
        })
        .min()
        .unwrap_or(0)
}

/// The middle one of several times (ns), as picoseconds.
pub(crate) fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0) * 1000
}
