//! A load that knows what every read must give: random batches of reads and
//! writes in a part of the disk of its own.

use super::{Random, buffer, bytes, fill, request};
use memory::DmaSlice;
use nvme_port::{BlockDevice, OK, Op, Request, Urgency};
use sync::Completion;

const UNIT: usize = 8192;
const UNITS: usize = 128;

/// One load's part of the disk, and what it must hold.
pub struct Load {
    random: Random,
    base: u64,
    model: Vec<Vec<u8>>,
}

/// A batch on its way.
pub struct Batch(Vec<(usize, Op, DmaSlice, Completion)>);

impl Load {
    pub fn new(seed: u64, base: u64) -> Self {
        Load {
            random: Random::new(seed),
            base,
            model: vec![vec![0; UNIT]; UNITS],
        }
    }

    /// A batch of up to twelve requests, no two of the same place.
    pub fn batch(&mut self) -> (Urgency, Vec<Request>, Batch) {
        let start = self.random.below(UNITS);
        let stride = 1 + self.random.below(2);
        let count = 1 + self.random.below(12);
        let urgency = Urgency::ALL[self.random.below(3)];
        let mut requests = Vec::new();
        let mut batch = Vec::new();
        let same = self.random.below(4);
        for i in 0..count {
            let unit = (start + i * stride) % UNITS;
            let op = match (same, self.random.below(5)) {
                (0, _) | (_, 0 | 1) => Op::Read,
                (_, 2) => Op::WriteDurable,
                _ => Op::Write,
            };
            let data = buffer(0, UNIT);
            if op != Op::Read {
                // A page that tells its place, its time and its load.
                let word = self.random.below(usize::MAX).to_le_bytes();
                self.model[unit] = word.repeat(UNIT / word.len());
                fill(&data, &self.model[unit]);
            }
            let at = self.base + (unit * UNIT) as u64;
            let (one, done) = request(op, at, Some(&data));
            requests.push(one);
            batch.push((unit, op, data, done));
        }
        (urgency, requests, Batch(batch))
    }

    /// Waits for a batch and compares what was read.
    pub fn check(&self, batch: Batch) {
        for (unit, op, data, done) in batch.0 {
            let outcome = done.wait_deadline(task_port::now() + 20_000_000_000);
            assert_eq!(outcome, Some(OK), "{op:?} of unit {unit}");
            assert!(bytes(&data) == self.model[unit], "{op:?} of unit {unit}");
        }
    }

    /// Compares the whole part with what the medium holds.
    pub fn compare(&self, medium: &[u8]) {
        for (unit, expected) in self.model.iter().enumerate() {
            let at = self.base as usize + unit * UNIT;
            assert!(
                medium[at..at + UNIT] == expected[..],
                "unit {unit} on the medium"
            );
        }
    }
}

/// Runs `batches` batches, one after the other.
pub fn run(disk: &dyn BlockDevice, seed: u64, base: u64, batches: usize) -> Load {
    let mut load = Load::new(seed, base);
    for _ in 0..batches {
        let (urgency, requests, batch) = load.batch();
        disk.submit(urgency, requests);
        load.check(batch);
    }
    load
}
