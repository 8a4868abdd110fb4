//! What a seed stands for: the sizes, the tasks, the faults.

use sim_disk::{Random, Rates};

/// How a life of the system ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The power fails during a write or flush, this many from the start.
    Fuse(u64),
    /// The power fails at a moment, so many nanoseconds from the start.
    Moment(u64),
    /// It is shut down in order after so many transactions.
    Orderly(u64),
}

/// A seed's plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Bytes of the disk.
    pub capacity: u64,
    /// Boot options.
    pub options: String,
    /// Bytes of the disk's logical blocks.
    pub block_size: u32,
    /// Tasks that make transactions.
    pub workers: u32,
    /// Different ids of a table's rows.
    pub ids: u64,
    /// Rows are at most this long, now and then.
    pub longest: u64,
    /// How each life ends.
    pub lives: Vec<End>,
    /// Errors at random.
    pub rates: Rates,
    /// The disk is so small that it fills.
    pub tight: bool,
    /// Some commits do not wait for the disk.
    pub lazy: bool,
    /// Cells are swapped meanwhile.
    pub swaps: bool,
    /// The power may fail in recovery, too.
    pub recovery_cuts: bool,
    /// Some transactions are serializable.
    pub serializable: bool,
    /// Cells panic where they are entered, and are replaced.
    pub crashes: bool,
    /// Places of the disk stop being readable while it is worked on.
    pub bad_places: bool,
    /// At the end, bits of what the last power cut has left are flipped.
    pub rot: bool,
}

impl Plan {
    /// The plan of `seed`.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x51);
        let mut one_in = |n: u64| random.below(n) == 0;
        let (tight, swaps, faulty) = (one_in(6), one_in(2), one_in(3));
        let (recovery_cuts, flaky_log, lazy) = (one_in(3), one_in(4), one_in(3));
        let mut pick = |from: &[u64]| from[random.below(from.len() as u64) as usize];
        let rates = Rates {
            read: if faulty { pick(&[0, 50, 300]) } else { 0 },
            write: if faulty { pick(&[0, 20, 200]) } else { 0 },
            durable: if faulty && flaky_log {
                pick(&[3, 100, 1_000])
            } else {
                0
            },
            flush: if faulty { pick(&[0, 3, 10]) } else { 0 },
        };
        let capacity = if tight {
            5 << 20
        } else {
            pick(&[10, 16]) << 20
        };
        let log = if tight {
            1024
        } else {
            pick(&[512, 1024, 3072])
        };
        let options = format!(
            "buffers={}K log_size={log}K log_buffer=1M",
            pick(&[512, 640, 1024, 2048])
        );
        let block_size = pick(&[512, 512, 4096]) as u32;
        let workers = pick(&[1, 2, 3, 4, 6]) as u32;
        let ids = pick(&[6, 30, 120, 400]);
        let longest = if tight {
            7_000
        } else {
            pick(&[300, 3_000, 7_000])
        };
        let mut one_in = |n: u64| random.below(n) == 0;
        let (serializable, crashes) = (one_in(3), one_in(4));
        let (bad_places, rot) = (one_in(6), one_in(4));
        let lives = (0..2 + random.below(3))
            .map(|_| match random.below(8) {
                0 | 1 => End::Orderly(10 + random.below(80)),
                2 => End::Moment(random.below(300_000_000)),
                _ => End::Fuse(1 + random.below(500)),
            })
            .collect();
        Plan {
            seed,
            capacity,
            options,
            block_size,
            workers,
            ids,
            longest,
            lives,
            rates,
            tight,
            lazy,
            swaps,
            recovery_cuts,
            serializable,
            crashes,
            bad_places,
            rot,
        }
    }

    /// Whether the log may fail, after which nothing works until a restart.
    #[must_use]
    pub fn log_may_fail(&self) -> bool {
        self.rates.durable > 0 || self.rates.flush > 0
    }
}
