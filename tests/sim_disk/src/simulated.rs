//! The disk as a simulation has it: latencies, requests on the way when the power
//! fails, and errors at random.

use crate::{Inner, Random, SimDisk, finish, image, lock};
use nvme_port::{Op, Request};
use std::sync::{Arc, Mutex};
use task_port::simulate;

/// How often requests fail, one in so many; 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Reads.
    pub read: u64,
    /// Writes into the cache.
    pub write: u64,
    /// Writes with force.
    pub durable: u64,
    /// Flushes.
    pub flush: u64,
}

impl SimDisk {
    /// The same disk, but requests are events of the simulation that the caller
    /// runs in: done after a while, in any order.
    #[must_use]
    pub fn simulated(mut self, seed: u64) -> Self {
        {
            let mut inner = lock(&self.inner);
            inner.random = Random::new(seed);
            inner.messy = true;
        }
        self.simulated = true;
        self
    }

    /// Lets requests fail at random from now on.
    pub fn set_rates(&self, rates: Rates) {
        lock(&self.inner).rates = rates;
    }
}

impl Inner {
    /// The power fails: what was on the way may have arrived in part.
    pub(crate) fn die(&mut self) {
        if !self.dead {
            self.died_at = task_port::now();
        }
        self.dead = true;
        for (offset, bytes) in core::mem::take(&mut self.on_the_way).into_values() {
            if offset + bytes.len() as u64 <= self.media.current().len() {
                self.media.write(offset, &bytes);
            }
        }
    }

    pub(crate) fn is_unlucky(&mut self, op: Op) -> bool {
        let rate = match op {
            Op::Read => self.rates.read,
            Op::Write => self.rates.write,
            Op::WriteDurable => self.rates.durable,
            Op::Flush => self.rates.flush,
        };
        rate > 0 && self.random.below(rate) == 0
    }

    /// What a failed request leaves behind.
    pub(crate) fn fail(&mut self, request: &Request) {
        if !self.messy {
            return;
        }
        match (request.op, &request.data) {
            (Op::Write | Op::WriteDurable, Some(data)) => {
                let bytes = image::copy_from(data);
                let (media, random) = (&mut self.media, &mut self.random);
                if request.offset + bytes.len() as u64 <= media.current().len() {
                    media.write_in_part(request.offset, &bytes, random);
                }
            }
            (Op::Flush, _) => self.media.lose_some(&mut self.random),
            _ => {}
        }
    }

    /// Nanoseconds until a request is done: usually like a fast disk, sometimes
    /// like one that is busy with itself.
    fn latency(&mut self, op: Op) -> u64 {
        let most = match op {
            Op::Read => 80_000,
            Op::Write => 40_000,
            Op::WriteDurable => 60_000,
            Op::Flush => 400_000,
        };
        let busy = if self.random.below(50) == 0 { 100 } else { 1 };
        5_000 + self.random.below(most * busy)
    }
}

/// Hands a request over; an event does it later.
pub(crate) fn submit(inner: &Arc<Mutex<Inner>>, request: Request) {
    let (latency, number) = {
        let mut inner = lock(inner);
        inner.next += 1;
        let number = inner.next;
        if let (Op::Write | Op::WriteDurable, Some(data)) = (request.op, &request.data) {
            let bytes = image::copy_from(data);
            inner.on_the_way.insert(number, (request.offset, bytes));
        }
        (inner.latency(request.op), number)
    };
    let inner = Arc::clone(inner);
    simulate::after(latency, move || {
        // A dead disk has taken what was on the way.
        lock(&inner).on_the_way.remove(&number);
        finish(&inner, request);
    });
}
